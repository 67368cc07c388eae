//! The request target, from DESIGN §5 and docs/policy.md (`allow`): one pass a rule.

/// Why it is refused is not asked: only whether, and which opt-ins it takes. `None`: refused whatever
/// a route allows.
pub fn classes(target: &str) -> Option<Vec<&'static str>> {
    let mut used = Vec::new();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    if !target.starts_with('/') || target.len() > 16_384 || path.len() > 4096 {
        return None;
    }
    if target.bytes().any(|byte| !(0x21..=0x7E).contains(&byte) || byte == b'#') {
        return None;
    }
    if query == Some("") || path.contains(['\\', '"', '<', '>', '^', '`', '{', '|', '}']) {
        return None;
    }
    if path.contains(';') {
        used.push("semicolon");
    }
    let mut decoded = Vec::new();
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            decoded.push(bytes[at]);
            at += 1;
            continue;
        }
        let digits = path.get(at + 1..at + 3)?;
        if !digits.bytes().all(|digit| digit.is_ascii_digit() || (b'A'..=b'F').contains(&digit)) {
            return None;
        }
        let byte = u8::from_str_radix(digits, 16).unwrap();
        if byte < 0x20 || byte == 0x7F || byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            return None;
        }
        used.extend(opt_in(byte));
        decoded.push(byte);
        at += 3;
    }
    std::str::from_utf8(&decoded).ok()?;
    if has_double_encoding(path) {
        return None;
    }
    // Each reading of a segment that an opt-in allows somebody behind the gate.
    let separated = path.replace("%2F", "/").replace("%5C", "/");
    let mut segments: Vec<&str> = separated.split('/').skip(1).collect();
    if segments.len() > 1 && segments.last() == Some(&"") {
        used.push("trailing_slash");
        segments.pop();
    }
    let is_root = path == "/";
    for segment in segments {
        let cut = segment.replace("%3B", ";").replace("%3F", ";").replace("%23", ";");
        for part in cut.split(';') {
            if part == "." || part == ".." {
                return None;
            }
        }
        if !is_root && segment.split(';').any(str::is_empty) {
            return None;
        }
    }
    used.sort_unstable();
    used.dedup();
    Some(used)
}

/// Segments as they are compared with a pattern's: decoded.
pub fn decode(segment: &str) -> Vec<u8> {
    let bytes = segment.as_bytes();
    let (mut at, mut decoded) = (0, Vec::new());
    while at < bytes.len() {
        let escaped = segment.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => (decoded.push(byte), at += 3).1,
            None => (decoded.push(bytes[at]), at += 1).1,
        }
    }
    decoded
}

fn opt_in(byte: u8) -> Option<&'static str> {
    match byte {
        b'/' => Some("encoded_slash"),
        b'\\' => Some("encoded_backslash"),
        b'%' => Some("encoded_percent"),
        b';' => Some("encoded_semicolon"),
        b'?' => Some("encoded_question"),
        b'#' => Some("encoded_hash"),
        _ => None,
    }
}

/// `%25` before two hexadecimal digits: another decoding would find an escape.
fn has_double_encoding(path: &str) -> bool {
    path.match_indices("%25").any(|(at, _)| {
        let next = path.as_bytes().get(at + 3..at + 5);
        next.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}
