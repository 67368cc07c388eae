//! One request as it comes over the wire.

/// Header names in lower case, in the order and number in which they are sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub method: String,
    pub secure: bool,
    pub host: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

impl Sent {
    /// A header as HTTP hands it over: repeated ones joined, white space around each trimmed. Empty is absent.
    pub fn header(&self, name: &str) -> Option<String> {
        let own = self.headers.iter().filter(|(own, _)| own == name);
        let values: Vec<_> = own.map(|(_, value)| value.trim_matches([' ', '\t'])).collect();
        Some(values.join(", ")).filter(|joined| !joined.is_empty())
    }

    /// Whether that header is there, be it empty.
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own == name)
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.add(name, value);
    }

    pub fn add(&mut self, name: &str, value: impl Into<String>) {
        self.headers.push((name.to_owned(), value.into()));
    }

    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|(own, _)| own != name);
    }

    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The name in the authority, without a port, in lower case.
    pub fn name(&self) -> String {
        let name = match self.host.rsplit_once(':') {
            Some((name, port)) if is_port(port) => name,
            _ => &self.host,
        };
        name.to_ascii_lowercase()
    }

    /// The text in which an adapter hands it to the core.
    pub fn facts(&self) -> String {
        let body = if self.body.is_some() { " body" } else { "" };
        let scheme = if self.secure { "https" } else { "http" };
        let (method, host, target) = (&self.method, &self.host, &self.target);
        let mut facts = format!("{method}{body}\n{scheme}://{host}{target}");
        let mut told: Vec<&str> = Vec::new();
        for (name, _) in &self.headers {
            if !told.contains(&name.as_str()) {
                told.push(name);
                facts.push_str(&format!("\n{name}\n{}", self.header(name).unwrap_or_default()));
            }
        }
        facts
    }
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit())
}
