//! Text in all its forms against the library's own UTF-8, on every tier.

use proptest::prelude::*;

use super::*;
use crate::ErrorKind;

/// What the library makes of it.
fn plain(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().filter_map(|&number| char::from_u32(number)).collect::<String>().into_bytes()
}

/// Its UTF-8 on every tier, which is the same, after what was there.
fn utf8(text: Text<'_>) -> Vec<u8> {
    let made: Vec<Vec<u8>> = Tier::available()
        .map(|tier| {
            let mut made = b"before".to_vec();
            text.append_on(tier, &mut made).unwrap();
            assert!(made.starts_with(b"before"));
            made.split_off(6)
        })
        .collect();
    assert!(made.iter().all(|other| *other == made[0]), "{text:?}");
    made[0].clone()
}

/// The text in every form that holds it.
fn check(numbers: &[u32]) {
    let expected = plain(numbers);
    assert_eq!(utf8(Text::Ucs4(numbers)), expected, "{numbers:X?}");
    if let Ok(units) = numbers.iter().map(|&number| u16::try_from(number)).collect::<std::result::Result<Vec<_>, _>>() {
        assert_eq!(utf8(Text::Ucs2(&units)), expected, "{numbers:X?}");
    }
    if let Ok(units) = numbers.iter().map(|&number| u8::try_from(number)).collect::<std::result::Result<Vec<_>, _>>() {
        assert_eq!(utf8(Text::Latin1(&units)), expected, "{numbers:X?}");
        assert_eq!(utf8(Text::Bytes(&units)), units);
    }
}

#[test]
fn every_character() {
    let all: Vec<u32> = (0..0x11_0000).filter(|&number| char::from_u32(number).is_some()).collect();
    all.chunks(1000).for_each(check);
    check(&all);
}

/// Characters of all lengths among each other.
pub(super) fn mixed(n: Range<usize>) -> impl Strategy<Value = Vec<char>> {
    let any = prop_oneof![
        4 => prop::char::range('\0', '\u{7F}'),
        2 => prop::char::range('\u{80}', '\u{FF}'),
        2 => prop::char::range('\u{100}', '\u{7FF}'),
        2 => prop::char::range('\u{800}', '\u{FFFF}'),
        1 => prop::char::range('\u{10000}', char::MAX),
    ];
    prop::collection::vec(any, n)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

    #[test]
    fn characters_of_all_lengths_among_each_other(
        characters in mixed(0..100),
        most in prop_oneof![Just(0x80_u32), Just(0x100), Just(0x800), Just(0x1_0000), Just(0x11_0000)],
    ) {
        let numbers: Vec<u32> = characters.into_iter().map(u32::from).filter(|&number| number < most).collect();
        check(&numbers);
    }

    #[test]
    fn what_is_no_character_is_named(
        before in 0..40_usize,
        strange in prop_oneof![0xD800_u32..0xE000, 0x11_0000..=u32::MAX],
        after in prop::collection::vec(prop_oneof![Just(u32::from('x')), Just(0xDC00)], 0..40),
    ) {
        let numbers: Vec<u32> = std::iter::repeat_n(u32::from('é'), before).chain([strange]).chain(after).collect();
        let units: Vec<u16> = numbers.iter().map(|&number| u16::try_from(number).unwrap_or(0xDFFF)).collect();
        for tier in Tier::available() {
            for text in [Text::Ucs4(&numbers), Text::Ucs2(&units)] {
                let mut out = b"before".to_vec();
                let error = text.append_on(tier, &mut out).unwrap_err();
                prop_assert!(matches!(error.kind(), ErrorKind::Surrogate { index } if *index == before), "{}", error);
                prop_assert_eq!(&out, b"before");
            }
        }
    }
}

#[test]
fn texts_of_a_batch() {
    let wide = [Text::Ucs2(&[0x4F60]), Text::Bytes(b"\xFF"), Text::Latin1(&[0xE9]), Text::Bytes(b""), Text::Ucs4(&[])];
    let mut buffer = b"old".to_vec();
    assert_eq!(in_utf8(&wide, &mut buffer).unwrap(), ["你".as_bytes(), b"\xFF", "é".as_bytes(), b"", b""]);
    let (index, error) = in_utf8(&[Text::Bytes(b"a"), Text::Ucs2(&[0x61, 0xD800])], &mut buffer).unwrap_err();
    assert_eq!((index, error.to_string().contains("character 1")), (1, true), "{error}");
}
