//! What stands for the padding's DigestInfo (RFC 8017 §9.2) in Wycheproof's cases `ModifiedPadding`: DER in which one of its
//! five elements is another.

use sha2::{Digest, Sha256};

/// What is done to an element, and the numbers of the cases in which it is done to each, as [`Element`] counts them.
pub type Change = (&'static str, [&'static str; 5], fn(u8, &[u8]) -> Vec<Vec<u8>>);

/// The elements of DigestInfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// The whole.
    Info,
    /// AlgorithmIdentifier.
    Algorithm,
    /// Its object identifier.
    Oid,
    /// Its parameters.
    Null,
    /// The digest.
    Octets,
}

/// In the order of [`Change`].
pub const ELEMENTS: [Element; 5] =
    [Element::Info, Element::Algorithm, Element::Oid, Element::Null, Element::Octets];

/// DigestInfo with `changed` in the place of an element; the lengths around it fit.
pub fn info(text: &[u8], element: Element, changed: impl Fn(u8, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let make = |own, tag, content: &[u8]| {
        if own == element { changed(tag, content) } else { der(tag, content) }
    };
    let identifier = [make(Element::Oid, 0x06, OID), make(Element::Null, 0x05, &[])].concat();
    let algorithm = make(Element::Algorithm, 0x30, &identifier);
    let octets = make(Element::Octets, 0x04, &Sha256::digest(text));
    make(Element::Info, 0x30, &[algorithm, octets].concat())
}

/// Every change: its name in the file but for the element's, the numbers, and as many texts as there are numbers.
pub const CHANGES: &[Change] = &[
    ("length in long form", ["46", "98", "148", "194", "222"], |tag, own| {
        vec![[&[tag, 0x81, length(own)], own].concat()]
    }),
    ("length with a leading 0", ["47", "99", "149", "195", "223"], |tag, own| {
        vec![[&[tag, 0x82, 0, length(own)], own].concat()]
    }),
    ("length 1 too long", ["48", "100", "150", "196", "224"], |tag, own| {
        vec![[&[tag, length(own) + 1], own].concat()]
    }),
    ("length 1 too short", ["49", "101", "151", "", "225"], |tag, own| {
        vec![[&[tag, length(own) - 1], own].concat()]
    }),
    ("length over 32 bits", ["50", "102", "152", "197", "226"], |tag, own| {
        vec![[&[tag, 0x85, 1, 0, 0, 0, length(own)], own].concat()]
    }),
    ("length over 64 bits", ["51", "103", "153", "198", "227"], |tag, own| {
        vec![[&[tag, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, length(own)], own].concat()]
    }),
    ("length 2^31-1", ["52", "104", "154", "199", "228"], |tag, own| {
        vec![[&[tag, 0x84, 0x7F, 0xFF, 0xFF, 0xFF], own].concat()]
    }),
    ("length 2^31", ["53", "105", "155", "200", "229"], |tag, own| {
        vec![[&[tag, 0x84, 0x80, 0, 0, 0], own].concat()]
    }),
    ("length 2^32-1", ["54", "106", "156", "201", "230"], |tag, own| {
        vec![[&[tag, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], own].concat()]
    }),
    ("length 2^40-1", ["55", "107", "157", "202", "231"], |tag, own| {
        vec![[&[tag, 0x85, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], own].concat()]
    }),
    ("length 2^64-1", ["56", "108", "158", "203", "232"], |tag, own| {
        vec![[&[tag, 0x88][..], &[0xFF; 8], own].concat()]
    }),
    ("incorrect length", ["57", "109", "159", "204", "233"], |tag, own| {
        vec![[&[tag, 0xFF], own].concat()]
    }),
    ("indefinite length without an end", ["58", "110", "160", "", "234"], |tag, own| {
        vec![[&[tag, 0x80], own].concat()]
    }),
    ("removed", ["59", "111", "161", "", ""], |_, _| vec![Vec::new()]),
    ("lonely tag", ["60", "112", "162", "", "235"], |tag, _| vec![vec![tag]]),
    ("0s appended to the content", ["61", "113", "163", "205", "236"], |tag, own| {
        vec![der(tag, &[own, &[0, 0]].concat())]
    }),
    ("0s before the content", ["62", "114", "164", "", "237"], |tag, own| {
        vec![der(tag, &[&[0, 0], own].concat())]
    }),
    ("0s behind the element", ["63", "115", "165", "", ""], |tag, own| {
        vec![[der(tag, own), vec![0, 0]].concat()]
    }),
    ("NULL appended", ["64", "116", "166", "206", "238"], |tag, own| {
        vec![der(tag, &[own, &[5, 0]].concat())]
    }),
    ("garbage before", ["65 66", "117 118", "167 168", "207 208", "239 240"], |tag, own| {
        [&[0x49, 0x81, 0x77][..], &[0x25, 0]]
            .map(|garbage| der(tag, &[garbage, own].concat()))
            .to_vec()
    }),
    ("garbage appended", ["67", "119", "169", "209", "241"], |tag, own| {
        vec![der(tag, &[own, &[0, 4, 0xDE, 0xAD, 0xBE, 0xEF]].concat())]
    }),
    ("undefined tags before the element", ["68", "120", "170", "210", "242"], |tag, own| {
        vec![[UNDEFINED, &der(tag, own)].concat()]
    }),
    ("truncated length", ["69", "121", "171", "211", "243"], |tag, _| vec![vec![tag, 0x81]]),
    ("undefined tags in the element", ["70", "122", "172", "212", "244"], |tag, own| {
        vec![der(tag, &[UNDEFINED, own].concat())]
    }),
    ("composed, of indefinite length", ["71", "123", "173", "213", "245"], |tag, own| {
        vec![[&[tag | 0x20, 0x80], &der(tag, own)[..], &[0, 0]].concat()]
    }),
    ("composed of another tag", ["72", "124", "174", "214", "246"], |tag, own| {
        vec![[&[tag | 0x20, 0x80], &der(tag ^ 1, own)[..], &[0, 0]].concat()]
    }),
    ("NULL in its place", ["73", "125", "175", "", "247"], |_, _| vec![vec![5, 0]]),
    ("another tag", ["74-78", "126-130", "176-180", "215-219", "248-252"], |tag, own| {
        [tag - 1, tag + 1, tag ^ 0x20, tag ^ 0x80, 0xFF].map(|tag| der(tag, own)).to_vec()
    }),
    ("without its content", ["79", "131", "181", "", "253"], |tag, _| vec![vec![tag, 0]]),
    ("composed of parts", ["80", "132", "182", "", "254"], |tag, own| {
        let (first, rest) = own.split_at(1);
        vec![der(tag | 0x20, &[der(tag, first), der(tag, rest)].concat())]
    }),
    ("truncated", ["81 82", "133 134", "185 186", "", "257 258"], |tag, own| {
        vec![der(tag, &own[..own.len() - 1]), der(tag, &own[1..])]
    }),
    ("first byte modified", ["", "", "183", "", "255"], |tag, own| {
        vec![der(tag, &changed(own, 0))]
    }),
    ("last byte modified", ["", "", "184", "", "256"], |tag, own| {
        vec![der(tag, &changed(own, own.len() - 1))]
    }),
    ("indefinite length", ["83", "135", "", "", ""], |tag, own| endless(tag, own, &[0, 0])),
    ("… with a truncated end", ["84", "136", "", "", ""], |tag, own| endless(tag, own, &[0])),
    ("… with an element more", ["85", "137", "", "", ""], |tag, own| {
        endless(tag, own, &[5, 0, 0, 0])
    }),
    ("… with a truncated element", ["86", "138", "", "", ""], |tag, own| {
        endless(tag, own, &[6, 8, 0x11])
    }),
    ("… with garbage", ["87", "139", "", "", ""], |tag, own| {
        endless(tag, own, &[0, 0, 0, 0xFE, 2, 0xBE, 0xEF])
    }),
    ("… with an end that is not empty", ["88", "140", "", "", ""], |tag, own| {
        endless(tag, own, &[0, 2, 0xBE, 0xEF])
    }),
    ("an empty sequence before", ["89", "141", "", "", ""], |tag, own| {
        vec![der(tag, &[&[0x30, 0], own].concat())]
    }),
    ("an empty sequence appended", ["90", "142", "", "", ""], |tag, own| {
        vec![der(tag, &[own, &[0x30, 0]].concat())]
    }),
    ("zero appended", ["91", "143", "", "", ""], |tag, own| {
        vec![der(tag, &[own, &[2, 1, 0]].concat())]
    }),
    ("a high tag appended", ["92", "144", "", "", ""], |tag, own| {
        vec![der(tag, &[own, &[0xBF, 0x7F, 0]].concat())]
    }),
    ("NULL with an explicit tag appended", ["93", "145", "", "", ""], |tag, own| {
        vec![der(tag, &[own, &[0xA0, 2, 5, 0]].concat())]
    }),
    ("NULL with an implicit tag appended", ["94", "146", "", "", ""], |tag, own| {
        vec![der(tag, &[own, &[0xA0, 0]].concat())]
    }),
    ("a sequence of the sequence", ["95", "147", "", "", ""], |tag, own| {
        vec![der(tag, &der(tag, own))]
    }),
    ("without its last element", ["96", "", "", "", ""], |tag, own| {
        vec![der(tag, &own[..own.len() - DIGEST])]
    }),
    ("its last element twice", ["97", "", "", "", ""], |tag, own| {
        vec![der(tag, &[own, &own[own.len() - DIGEST..]].concat())]
    }),
    ("of SHA-512", ["", "", "187", "", ""], |tag, own| {
        vec![der(tag, &[&own[..own.len() - 1], &[3]].concat())]
    }),
    ("longer", ["", "", "188", "", ""], |tag, own| vec![der(tag, &[own, &[1]].concat())]),
    ("a node modified", ["", "", "189 190", "", ""], |tag, own| {
        vec![der(tag, &changed(own, 2)), der(tag, &changed(own, 5))]
    }),
    ("a large node", ["", "", "191", "", ""], |tag, own| {
        let large = [0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1];
        vec![der(tag, &[&own[..own.len() - 1], &large].concat())]
    }),
    ("an invalid node", ["", "", "192 193", "", ""], |tag, own| {
        let (rest, last) = own.split_at(own.len() - 1);
        vec![der(tag, &[own, &[0xE0]].concat()), der(tag, &[rest, &[0x80], last].concat())]
    }),
    ("composed", ["", "", "", "220", ""], |tag, _| vec![der(tag | 0x20, &[5, 0])]),
    ("with content", ["", "", "", "221", ""], |tag, _| vec![der(tag, &[0])]),
];

/// An element of at most 127 bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, length(content)], content].concat()
}

fn length(content: &[u8]) -> u8 {
    u8::try_from(content.len()).unwrap_or(u8::MAX)
}

fn changed(content: &[u8], at: usize) -> Vec<u8> {
    let mut content = content.to_vec();
    content[at] ^= 1;
    content
}

fn endless(tag: u8, content: &[u8], end: &[u8]) -> Vec<Vec<u8>> {
    vec![[&[tag, 0x80], content, end].concat()]
}

/// Of SHA-256.
const OID: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// Elements of no meaning.
const UNDEFINED: &[u8] = &[0xAA, 0, 0xBB, 0, 0xCD, 0];
/// The digest with its tag and length.
const DIGEST: usize = 34;
