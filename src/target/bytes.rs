//! What a raw byte means in a path.

use super::BadTarget;

/// The role of a byte in a path.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Plain,
    Slash,
    Dot,
    Percent,
    Question,
    Semicolon,
    Refused(BadTarget),
}

/// Each arm is a constant, so this compiles to one look-up in a table of 256 entries.
#[inline]
pub(super) const fn kind(byte: u8) -> Kind {
    match byte {
        b'/' => Kind::Slash,
        b'.' => Kind::Dot,
        b'%' => Kind::Percent,
        b'?' => Kind::Question,
        b';' => Kind::Semicolon,
        b'#' => Kind::Refused(BadTarget::Fragment),
        b'\\' => Kind::Refused(BadTarget::Backslash),
        b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' => {
            Kind::Refused(BadTarget::ForbiddenCharacter)
        }
        0x21..=0x7E => Kind::Plain,
        0x00..=0x20 | 0x7F..=0xFF => Kind::Refused(BadTarget::NotVisibleAscii),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_what_a_path_segment_may_hold_and_brackets() {
        let plain: String =
            (0..=255u8).filter(|&b| matches!(kind(b), Kind::Plain)).map(char::from).collect();
        let unreserved = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~-";
        let mut expected: Vec<char> = unreserved.chars().chain("!$&'()*+,=:@[]".chars()).collect();
        expected.sort_unstable();
        assert_eq!(plain, expected.into_iter().collect::<String>());
    }
}
