//! The facts of a request, as an adapter hands them over: one text, one crossing.
//!
//! ```text
//! GET
//! https://api.test/v1/agents?page=2
//! authorization
//! Bearer ak_…
//! ```
//!
//! Method (followed by ` body` if the request has one), URL, then a name and a value in turn for each header; names in lower
//! case, repeated headers joined by `, ` as the Fetch standard does. A header
//! cannot hold a line feed, so the text needs no escaping.

/// One request. Borrows the adapter's text; holds what the decision reads.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) has_body: bool,
    pub(crate) secure: bool,
    pub(crate) authority: &'a str,
    pub(crate) target: &'a str,
    pub(crate) fields: Fields<'a>,
    headers: &'a str,
}

impl core::fmt::Debug for Request<'_> {
    /// Without headers: a credential is among them; nor the target: one may be there too.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

/// The headers that bear on a decision; empty when absent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fields<'a> {
    pub(crate) host: &'a str,
    pub(crate) authorization: &'a str,
    pub(crate) api_key: &'a str,
    pub(crate) key_id: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) signature_input: &'a str,
    pub(crate) message_signature: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) content_digest: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) client_address: &'a str,
    pub(crate) connection: &'a str,
    pub(crate) upgrade: &'a str,
    pub(crate) content_length: &'a str,
    pub(crate) transfer_encoding: &'a str,
    pub(crate) accept: &'a str,
}

impl<'a> Request<'a> {
    /// Reads the adapter's text; `None` if it is not of the form above, as with a name that no value follows.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (method, rest) = text.split_once('\n')?;
        let (method, has_body) = match method.strip_suffix(" body") {
            Some(method) => (method, true),
            None => (method, false),
        };
        let (url, headers) = rest.split_once('\n').unwrap_or((rest, ""));
        let (secure, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        let (authority, target) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        let mut request = Self {
            method,
            has_body,
            secure,
            authority,
            target,
            fields: Fields::default(),
            headers,
        };
        let mut lines = headers.split('\n');
        while let Some(name) = lines.next().filter(|_| !headers.is_empty()) {
            let value = lines.next()?;
            let fields = &mut request.fields;
            let slot = match name {
                "host" => &mut fields.host,
                "authorization" => &mut fields.authorization,
                "x-api-key" => &mut fields.api_key,
                "x-key-id" => &mut fields.key_id,
                "x-signature" => &mut fields.signature,
                "signature-input" => &mut fields.signature_input,
                "signature" => &mut fields.message_signature,
                "x-timestamp" => &mut fields.timestamp,
                "x-nonce" => &mut fields.nonce,
                "content-digest" => &mut fields.content_digest,
                "content-type" => &mut fields.content_type,
                "cf-connecting-ip" => &mut fields.client_address,
                "connection" => &mut fields.connection,
                "upgrade" => &mut fields.upgrade,
                "content-length" => &mut fields.content_length,
                "transfer-encoding" => &mut fields.transfer_encoding,
                "accept" => &mut fields.accept,
                _ => continue,
            };
            *slot = value;
        }
        // Framing alone is no body.
        let Fields { content_length, transfer_encoding, .. } = request.fields;
        let is_none = content_length.bytes().all(|byte| byte == b'0') && !content_length.is_empty();
        request.has_body &= !is_none || !transfer_encoding.is_empty();
        Some(request)
    }

    /// Every header, name and value, in the adapter's order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut lines = self.headers.split('\n');
        core::iter::from_fn(move || Some((lines.next()?, lines.next()?)))
    }

    /// Whether errors are to be told as `application/problem+json` (RFC 9457).
    #[must_use]
    pub fn wants_problem_json(&self) -> bool {
        self.fields.accept.contains("application/problem+json")
    }

    /// The request target, as sent.
    #[must_use]
    pub fn target(&self) -> &'a str {
        self.target
    }

    /// Whether it came by https.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// The authority of the URL: a host and perhaps a port.
    #[must_use]
    pub fn authority(&self) -> &'a str {
        self.authority
    }

    /// The method, as sent.
    #[must_use]
    pub fn method(&self) -> &'a str {
        self.method
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines() {
        let request = Request::parse("GET\nhttp://h:1/a?b\nhost\nh:1\nx-api-key\nk").unwrap();
        assert_eq!((request.method, request.authority, request.target), ("GET", "h:1", "/a?b"));
        assert!(!request.secure);
        assert_eq!(request.fields.api_key, "k");
        assert_eq!(request.headers().collect::<Vec<_>>(), [("host", "h:1"), ("x-api-key", "k")]);
    }

    #[test]
    fn each_name_has_a_value() {
        assert!(Request::parse("GET\nhttps://h/\nhost\n").is_some(), "an empty one");
        for text in [
            "GET\nhttps://h/\nhost",
            "GET\nhttps://h/\nhost\nh\nx-api-key",
            "GET\nhttps://h/\nhost\nh\n",
        ] {
            assert!(Request::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn no_path_no_headers() {
        let request = Request::parse("GET\nhttps://h").unwrap();
        assert_eq!((request.target, request.secure), ("", true));
        assert_eq!(request.headers().count(), 0);
        assert!(Request::parse("GET").is_none());
        assert!(Request::parse("GET\nhttps://h\n").is_some());
        assert!(Request::parse("GET\nftp://h/").is_none());
    }
}
