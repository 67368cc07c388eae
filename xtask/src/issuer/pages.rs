//! What the issuer answers.

use std::fmt::Write;

use serde_json::{Value, json};

use super::codes::Fields;

/// An answer.
#[derive(Debug)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl Page {
    /// An answer in JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("Cache-Control", "no-store".to_owned()),
        ];
        Self { status, headers, body: body.to_string() }
    }

    /// An error as RFC 6749 §5.2 writes it.
    pub fn error(status: u16, code: &str, problem: &str) -> Self {
        Self::json(status, &json!({ "error": code, "error_description": problem }))
    }

    /// On to another page.
    pub fn redirect(url: &str) -> Self {
        let headers = vec![("Location", url.to_owned()), ("Cache-Control", "no-store".to_owned())];
        Self { status: 302, headers, body: String::new() }
    }
}

/// The page on which a subject is chosen.
pub fn choice(action: &str, fields: &Fields, subjects: &[&str]) -> Page {
    let mut hidden = String::new();
    for (name, value) in fields {
        let (name, value) = (escaped(name), escaped(value));
        let _ = writeln!(hidden, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
    }
    let mut buttons = String::new();
    for subject in subjects {
        let _ = writeln!(
            buttons,
            "<p><button type=\"submit\" name=\"subject\" value=\"{subject}\">{subject}</button></p>"
        );
    }
    let client = fields.get("client_id").map(|client| escaped(client)).unwrap_or_default();
    let body = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Development issuer</title>\n\
         <h1>Sign in to {client} as</h1>\n<form action=\"{action}\" method=\"get\">\n{hidden}{buttons}</form>\n\
         <p>This issuer is for development on this machine: it asks nobody for a password.</p>\n</html>\n"
    );
    let policy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";
    let headers = vec![
        ("Content-Type", "text/html; charset=utf-8".to_owned()),
        ("Content-Security-Policy", policy.to_owned()),
        ("Cache-Control", "no-store".to_owned()),
    ];
    Page { status: 200, headers, body }
}

/// The fields of a query or form; of a name that is there twice, the last.
pub fn fields(text: &str) -> Fields {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_a_query_is_text() {
        let fields = fields("client_id=%22%3E%3Cscript%3E&state=%27&a=1&a=2");
        assert_eq!(fields["a"], "2");
        let body = choice("/authorize", &fields, &["owner"]).body;
        assert!(!body.contains("<script"), "{body}");
        assert!(body.contains("value=\"&quot;&gt;&lt;script&gt;\""), "{body}");
        assert!(body.contains("value=\"&#39;\""), "{body}");
    }
}
