"""The speed of libraries side by side: each run in a fresh process, results shown to be the same before any time.

`worker` is one run, and knows the libraries; `rounds` lets contestants run in turns and sums up; `table` shows it. Used
by ``bytepair bench``, and by `benches/compare.py` of the source tree.
"""
