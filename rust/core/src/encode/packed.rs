//! The ids of a pretoken in the 16 or 32 bytes that a slot of the cache has for them.

use crate::ids::{narrow, widen, widen_u64};

/// Ids and how many they are, or where in the ring they lie: which of the two, the key of the slot says.
pub(super) type Packed<const B: usize> = [u8; B];

/// How ids are packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Packing {
    /// Each in two bytes, and how many they are in the last two: up to 7, or 15.
    Narrow,
    /// Each in four bytes, of which 24 bits are the id's: up to 4, or 8. The last byte of all says how many they are.
    #[default]
    Wide,
}

impl Packing {
    /// That of a vocabulary whose ids lie below `n_ids`.
    pub(super) fn of(n_ids: usize) -> Self {
        if n_ids <= 1 << 16 { Self::Narrow } else { Self::Wide }
    }

    /// Packs ids, if there is room for as many.
    pub(super) fn pack<const B: usize>(self, ids: &[u32]) -> Option<Packed<B>> {
        let mut packed = [0; B];
        match self {
            Self::Narrow => {
                let (last, slots) = packed.as_chunks_mut().0.split_last_mut()?;
                for (slot, &id) in slots.get_mut(..ids.len())?.iter_mut().zip(ids) {
                    *slot = u16::try_from(id).ok()?.to_le_bytes();
                }
                *last = u16::try_from(ids.len()).ok()?.to_le_bytes();
            }
            Self::Wide => {
                for (slot, id) in packed.as_chunks_mut().0.get_mut(..ids.len())?.iter_mut().zip(ids) {
                    *slot = id.to_le_bytes();
                }
                *packed.last_mut()? = u8::try_from(ids.len()).ok()?;
            }
        }
        Some(packed)
    }

    /// The ids that are packed, and how many they are: the first so many of the `M` given, which are as many as there can be.
    #[inline(always)]
    pub(super) fn unpack<const B: usize, const M: usize>(self, packed: &Packed<B>) -> ([u32; M], usize) {
        let mut ids = [0; M];
        let last = packed.last_chunk().copied();
        match self {
            Self::Narrow => {
                ids.iter_mut().zip(packed.as_chunks().0).for_each(|(id, slot)| *id = u16::from_le_bytes(*slot).into());
                (ids, last.map_or(0, |last| u16::from_le_bytes(last).into()))
            }
            Self::Wide => {
                ids.iter_mut()
                    .zip(packed.as_chunks().0)
                    .for_each(|(id, slot)| *id = u32::from_le_bytes(*slot) & ID_BITS);
                (ids, last.map_or(0, |[_, last]| last.into()))
            }
        }
    }
}

/// What of four bytes is an id.
const ID_BITS: u32 = 0x00FF_FFFF;

/// Packs where in the ring ids lie, and how many they are.
pub(super) fn pack_place<const B: usize>(at: u64, n_ids: usize) -> Option<Packed<B>> {
    let mut packed = [0; B];
    *packed.first_chunk_mut()? = at.to_le_bytes();
    *packed.get_mut(8..)?.first_chunk_mut()? = narrow(n_ids)?.to_le_bytes();
    Some(packed)
}

/// What [`pack_place`] packed.
#[inline(always)]
pub(super) fn unpack_place<const B: usize>(packed: &Packed<B>) -> (u64, usize) {
    let [low, high, n_ids, ..] = *packed.as_chunks().0 else { return (0, 0) };
    let [low, high, n_ids] = [low, high, n_ids].map(u32::from_le_bytes).map(widen);
    (widen_u64(low) | widen_u64(high) << 32, n_ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_places_come_back() {
        let ids = |n: u32, highest: u32| (0..n).map(|id| highest - id).collect::<Vec<_>>();
        for (packing, highest, most) in [(Packing::Narrow, 0xFFFF, [7, 15]), (Packing::Wide, ID_BITS, [4, 8])] {
            for n in 0..20 {
                let ids = ids(n, highest);
                let short = packing.pack::<16>(&ids).map(|packed| packing.unpack::<16, 8>(&packed));
                let medium = packing.pack::<32>(&ids).map(|packed| packing.unpack::<32, 16>(&packed));
                assert_eq!([short.is_some(), medium.is_some()], most.map(|most| widen(n) <= most));
                assert!(short.is_none_or(|(unpacked, n)| unpacked[..n] == ids));
                assert!(medium.is_none_or(|(unpacked, n)| unpacked[..n] == ids));
            }
        }
        assert_eq!(Packing::Narrow.pack::<16>(&[0x1_0000]), None);
        let place = (u64::MAX - 5, 0xFFFF_FFFE);
        assert_eq!(pack_place::<16>(place.0, place.1).map(|packed| unpack_place(&packed)), Some(place));
    }
}
