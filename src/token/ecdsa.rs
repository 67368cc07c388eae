//! ECDSA signatures in DER, `Ecdsa-Sig-Value` (RFC 3279 §2.2.3), in the one encoding that DER allows.

/// The signature as JWS and Web Crypto have it: two numbers of 32 bytes (RFC 7518 §3.4).
pub(crate) fn p256_signature(der: &[u8]) -> Option<[u8; 64]> {
    let (content, rest) = element(SEQUENCE, der)?;
    let (r, content) = element(INTEGER, content)?;
    let (s, content) = element(INTEGER, content)?;
    if !rest.is_empty() || !content.is_empty() {
        return None;
    }
    let mut signature = [0; 64];
    let (first, second) = signature.split_at_mut(32);
    put_number(r, first)?;
    put_number(s, second)?;
    Some(signature)
}

/// The content of the element at the beginning, of at most 127 bytes, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [own, length @ ..=0x7f, rest @ ..] = der else { return None };
    if *own == tag { rest.split_at_checked(usize::from(*length)) } else { None }
}

/// A number above 0 in its shortest form, right-aligned.
fn put_number(content: &[u8], out: &mut [u8]) -> Option<()> {
    let digits = match content {
        [0, digits @ ..] if digits.first().is_some_and(|first| *first >= 0x80) => digits,
        [1..=0x7f, ..] => content,
        _ => return None,
    };
    let start = out.len().checked_sub(digits.len())?;
    out.get_mut(start..)?.copy_from_slice(digits);
    Some(())
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_encoding_of_a_signature() {
        let number = |bytes: &[u8]| [&[2, u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let sequence = |parts: &[Vec<u8>]| {
            let content = parts.concat();
            [&[0x30, u8::try_from(content.len()).unwrap()][..], &content].concat()
        };
        let (small, high) = (number(&[5]), number(&[&[0][..], &[0xff; 32]].concat()));
        let read = p256_signature(&sequence(&[small.clone(), high.clone()])).unwrap();
        assert_eq!((&read[..31], read[31], &read[32..]), (&[0; 31][..], 5, &[0xff; 32][..]));
        for wrong in [
            sequence(std::slice::from_ref(&small)),
            sequence(&[small.clone(), small.clone(), small.clone()]),
            sequence(&[number(&[0]), small.clone()]),
            sequence(&[number(&[]), small.clone()]),
            sequence(&[number(&[0, 5]), small.clone()]),
            sequence(&[number(&[0x80]), small.clone()]),
            sequence(&[number(&[1; 33]), small.clone()]),
            [sequence(&[small.clone(), high]), vec![0]].concat(),
            [&[0x30, 0x81, 6][..], &small, &small].concat(),
            [&[0x31, 6][..], &small, &small].concat(),
            vec![0x30, 6, 2, 1, 5, 2, 2, 5],
            Vec::new(),
        ] {
            assert_eq!(p256_signature(&wrong), None, "{wrong:?}");
        }
    }
}
