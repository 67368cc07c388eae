//! A server of prepared answers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Answers each request by `answer`, until the test ends.
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `answer` is told the request line and its number from 0; it gives a status, more headers, each with
    /// CRLF at its end, and a body. A status of 0 closes the connection instead.
    pub(crate) fn new(
        answer: impl Fn(&str, usize) -> (u16, &'static str, String) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = request(&mut stream) else { continue };
                let number = heard.lock().unwrap().len();
                let line = request.lines().next().unwrap_or_default().to_owned();
                heard.lock().unwrap().push(request);
                let (status, headers, body) = answer(&line, number);
                if status != 0 {
                    let length = body.len();
                    let _ = write!(
                        stream,
                        "HTTP/1.1 {status} -\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
                    );
                }
            }
        });
        Self { url, asked }
    }

    /// The requests so far: heads and bodies.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
    }
}
