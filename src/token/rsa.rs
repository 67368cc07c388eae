//! Which RSA keys nobody should use, whatever was signed with them.

/// The length of a modulus in bytes.
pub(super) const BYTES: core::ops::RangeInclusive<usize> = 256..=1024;

/// Whether a key, two numbers with the highest byte first, has 2048 to 8192 bits without leading zeros (RFC 7518
/// §3.3, §6.3.1.1), an odd exponent above 1, and not the primes that ROCA guesses.
pub(super) fn is_sound(n: &[u8], e: &[u8]) -> bool {
    let is_long = BYTES.contains(&n.len())
        && n.first()
            .is_some_and(|first| *first >= if n.len() == *BYTES.start() { 0x80 } else { 1 });
    let is_odd = e.last().is_some_and(|last| last % 2 == 1);
    is_long && is_odd && !matches!(e, [0, ..] | [1]) && !has_roca_primes(n)
}

/// The fingerprint of CVE-2017-15361: modulo each of these the product of such primes is a power of 65537. Of other
/// moduli one in 240 million has it.
fn has_roca_primes(n: &[u8]) -> bool {
    FINGERPRINT.iter().all(|prime| {
        let modulo = |number: u32| number.checked_rem(*prime).unwrap_or_default();
        let append = |rest: u32, byte: &u8| modulo((rest << 8) | u32::from(*byte));
        let residue = n.iter().fold(0, append);
        let powers =
            core::iter::successors(Some(1), |power: &u32| Some(modulo(power.wrapping_mul(65537))));
        powers.take(LONGEST).any(|power| power == residue)
    })
}

/// Those up to 167, of which the least primes of RSALib are made, that have other residues too.
const FINGERPRINT: [u32; 17] =
    [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
/// As many powers as there are modulo any of them, at most.
const LONGEST: usize = 78;

#[cfg(test)]
mod tests {
    use super::*;

    /// 65537 to the power, which is as the product of two such primes.
    fn power(exponent: usize) -> Vec<u8> {
        let mut little = vec![1];
        for _ in 0..exponent {
            let mut carry = 0;
            let old = little.clone();
            little.extend([0, 0, 0]);
            for (at, byte) in little.iter_mut().enumerate() {
                let high = at.checked_sub(2).and_then(|at| old.get(at)).copied().unwrap_or(0);
                let sum: u16 = [u16::from(*byte), u16::from(high), carry].iter().sum();
                *byte = sum.to_le_bytes()[0];
                carry = sum >> 8;
            }
            while little.last() == Some(&0) {
                little.pop();
            }
        }
        little.reverse();
        little
    }

    #[test]
    fn moduli_with_the_fingerprint() {
        for exponent in [128, 129, 200] {
            let weak = power(exponent);
            assert!(!is_sound(&weak, &[1, 0, 1]), "{exponent}");
            let mut next = weak.clone();
            *next.last_mut().unwrap() ^= 2;
            assert!(is_sound(&next, &[1, 0, 1]), "another than {exponent}");
        }
        let mut ends_alike = vec![0xAB; 256];
        ends_alike[255] = 1;
        assert!(is_sound(&ends_alike, &[1, 0, 1]));
    }

    #[test]
    fn lengths_and_exponents() {
        let of = |first: u8, length: usize| {
            let mut n = vec![0xAB; length];
            n[0] = first;
            n
        };
        for (n, is_good) in [
            (of(0x80, 256), true),
            (of(0x7F, 256), false),
            (of(0, 256), false),
            (of(1, 257), true),
            (of(0, 257), false),
            (of(0xFF, 255), false),
            (of(0xFF, 1024), true),
            (of(1, 1025), false),
        ] {
            assert_eq!(is_sound(&n, &[1, 0, 1]), is_good, "{} of {}", n[0], n.len());
        }
        for (e, is_good) in [
            (&[3][..], true),
            (&[1, 0, 1], true),
            (&[1], false),
            (&[2], false),
            (&[1, 0, 0], false),
            (&[0], false),
            (&[0, 3], false),
            (&[], false),
        ] {
            assert_eq!(is_sound(&of(0xC0, 256), e), is_good, "{e:?}");
        }
    }
}
