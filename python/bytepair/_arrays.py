"""Ids as arrays, of NumPy and of Arrow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from bytepair import _core

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from bytepair._types import ArrowArray, Dtype, Names, Text

__all__ = ["ArrayTokenizer"]


class ArrayTokenizer(_core.Tokenizer):
    """The compiled tokenizer, with the methods that give arrays; those libraries are imported when first asked for."""

    __slots__ = ()

    def encode_to_numpy(
        self,
        text: Text,
        *,
        dtype: Dtype = "uint32",
        allowed_special: Names = None,
        disallowed_special: Names = None,
        errors: Literal["strict", "replace"] = "strict",
    ) -> npt.NDArray[np.integer[Any]]:
        """Return the token ids of a text as an array.

        Parameters
        ----------
        text : str or bytes-like
        dtype : {"uint16", "uint32", "int32", "int64"}, default "uint32"
            The name, or NumPy's type or dtype of this name.
        allowed_special, disallowed_special, errors
            As for `encode`.

        Returns
        -------
        numpy.ndarray of shape (n_tokens,)
            It may be written to and is shared with nothing.

        Raises
        ------
        OverflowError
            The vocabulary does not fit `dtype`, whatever the text.
        SpecialTokenError, UnicodeEncodeError
            As for `encode`.

        Notes
        -----
        O(n) time for n bytes.

        Examples
        --------
        >>> import bytepair
        >>> bytepair.Tokenizer.from_pretrained("gpt2").encode_to_numpy("hello world", dtype="uint16")
        array([31373,   995], dtype=uint16)
        """
        name = dtype if isinstance(dtype, str) else _dtype_name(dtype)
        return self._encode_to_array(text, name, allowed_special, disallowed_special, errors)

    def encode_batch_to_numpy(
        self,
        texts: Iterable[Text] | ArrowArray,
        *,
        dtype: Dtype = "uint32",
        num_threads: int | None = None,
        allowed_special: Names = None,
        disallowed_special: Names = None,
        errors: Literal["strict", "replace"] = "strict",
    ) -> tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.int64]]:
        """Return the token ids of many texts in one array, and where each text's begin.

        Parameters
        ----------
        texts : iterable of str or bytes-like, or Arrow array of strings
        dtype, num_threads, allowed_special, disallowed_special, errors
            As for `encode_to_numpy` and `encode_batch`.

        Returns
        -------
        ids : numpy.ndarray of shape (n_tokens,)
        offsets : numpy.ndarray of int64, shape (n_texts + 1,)
            The ids of text ``i`` are ``ids[offsets[i]:offsets[i + 1]]``.

        Raises
        ------
        OverflowError, SpecialTokenError, UnicodeEncodeError
            As for `encode_to_numpy` and `encode_batch`.

        Notes
        -----
        O(n) time for n bytes in all.

        Examples
        --------
        >>> import bytepair
        >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
        >>> ids, offsets = gpt2.encode_batch_to_numpy(["hello", "", " world"])
        >>> ids, offsets
        (array([31373,   995], dtype=uint32), array([0, 1, 1, 2]))
        """
        name = dtype if isinstance(dtype, str) else _dtype_name(dtype)
        ids, offsets = self._encode_batch_to_buffers(
            texts,
            name,
            num_threads=num_threads,
            allowed_special=allowed_special,
            disallowed_special=disallowed_special,
            errors=errors,
        )
        import numpy as np

        return np.frombuffer(ids, name), np.frombuffer(offsets, np.int64)

    def encode_batch_to_arrow(
        self,
        texts: Iterable[Text] | ArrowArray,
        *,
        num_threads: int | None = None,
        allowed_special: Names = None,
        disallowed_special: Names = None,
        errors: Literal["strict", "replace"] = "strict",
    ) -> pa.LargeListArray:
        """Return the token ids of many texts as an Arrow array of lists. It needs the extra `arrow`, which is pyarrow.

        Parameters
        ----------
        texts : iterable of str or bytes-like, or Arrow array of strings
            A null of an Arrow array gives a null.
        num_threads, allowed_special, disallowed_special, errors
            As for `encode_batch`.

        Returns
        -------
        pyarrow.LargeListArray of uint32
            The ids are where they were encoded to, not copied.

        Raises
        ------
        ImportError
            pyarrow is not installed.
        SpecialTokenError, UnicodeEncodeError
            As for `encode_batch`.

        Notes
        -----
        O(n) time for n bytes in all.

        Examples
        --------
        >>> import bytepair
        >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
        >>> gpt2.encode_batch_to_arrow(["hello", "", " world"]).to_pylist()
        [[31373], [], [995]]
        """
        try:
            import pyarrow as pa
        except ImportError as error:
            message = "ids as an Arrow array need pyarrow; install it, or the extra: pip install 'bytepair[arrow]'"
            raise ImportError(message, name="pyarrow") from error

        validity = None
        if isinstance(texts, pa.Array | pa.ChunkedArray) and texts.null_count:
            valid = texts.is_valid()
            flat = valid.combine_chunks() if isinstance(valid, pa.ChunkedArray) else valid
            validity = flat.buffers()[1]
            texts = texts.fill_null(
                b"" if pa.types.is_binary(texts.type) or pa.types.is_large_binary(texts.type) else ""
            )
        ids, offsets = self._encode_batch_to_buffers(
            texts,
            "uint32",
            num_threads=num_threads,
            allowed_special=allowed_special,
            disallowed_special=disallowed_special,
            errors=errors,
        )
        values = pa.Array.from_buffers(pa.uint32(), len(ids) // 4, [None, pa.py_buffer(ids)])
        buffers = [validity, pa.py_buffer(offsets)]
        return pa.Array.from_buffers(pa.large_list(pa.uint32()), len(offsets) // 8 - 1, buffers, children=[values])


def _dtype_name(dtype: Dtype) -> str:
    """Return the name of a type or dtype of NumPy."""
    import numpy as np

    try:
        known = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype must be 'uint16', 'uint32', 'int32' or 'int64', not {dtype!r:.80}") from None
    return known.name if known.isnative else known.str
