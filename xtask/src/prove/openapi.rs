//! The served document against the server, by schemathesis.
