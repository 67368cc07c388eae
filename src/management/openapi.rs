//! The OpenAPI 3.1 document, made of the tables that requests are checked by.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::endpoint::{Access, Endpoint};
use super::schema::{Field, Form, Kind, Object};
use super::table::ENDPOINTS;

/// The document, as JSON; made once.
#[must_use]
pub fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(make)
}

fn make() -> String {
    let mut schemas = Map::new();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in ENDPOINTS {
        let described = operation(endpoint, &mut schemas);
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(endpoint.method.to_ascii_lowercase(), described);
        }
    }
    schemas.insert("Error".to_owned(), error());
    schemas.insert("Problem".to_owned(), problem());
    let bearer = |format| json!({ "type": "http", "scheme": "bearer", "bearerFormat": format });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portcullis management API",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses(),
            "headers": described_headers(),
            "securitySchemes": {
                "token": bearer("JWT"),
                "key": bearer("API key"),
                "scanner": {
                    "type": "apiKey", "in": "header", "name": "Github-Public-Key-Signature",
                    "description": "ECDSA with P-256 and SHA-256 over the body: DER in base64.",
                },
            },
        },
    })
    .to_string()
}

fn operation(endpoint: &Endpoint, schemas: &mut Map<String, Value>) -> Value {
    let (status, success) = endpoint.success;
    let mut responses = Map::new();
    let content =
        json!({ "application/json": { "schema": body(endpoint, success, false, schemas) } });
    let done = json!({
        "description": "Done.", "headers": headers(status, Some(endpoint)), "content": content,
    });
    responses.insert(status.to_string(), done);
    for (status, is_possible, _) in refusals(endpoint) {
        if is_possible {
            let name = format!("#/components/responses/{status}");
            responses.insert(status.to_string(), json!({ "$ref": name }));
        }
    }
    let mut described = Map::new();
    let mut describe = |name: &str, value: Value| drop(described.insert(name.to_owned(), value));
    describe("operationId", json!(endpoint.id));
    describe("summary", json!(endpoint.summary));
    describe("parameters", json!(parameters(endpoint, schemas)));
    describe("responses", Value::Object(responses));
    describe("security", security(endpoint.access));
    describe("x-portcullis-access", json!(endpoint.access.as_str()));
    if let Some(object) = endpoint.body {
        let schema = body(endpoint, object, !endpoint.listed, schemas);
        let content = json!({ "application/json": { "schema": schema } });
        describe("requestBody", json!({ "required": true, "content": content }));
    }
    Value::Object(described)
}

/// One object, or a list of them.
fn body(
    endpoint: &Endpoint,
    object: &Object,
    strict: bool,
    schemas: &mut Map<String, Value>,
) -> Value {
    let item = reference(object, strict, schemas);
    if endpoint.listed { json!({ "type": "array", "items": item }) } else { item }
}

/// What an endpoint may be refused with: the status, whether it may, and what it means.
fn refusals(endpoint: &Endpoint) -> [(u16, bool, &'static str); 14] {
    let credential = endpoint.access != Access::Public;
    let (changes, body) = (!endpoint.is_read(), endpoint.body.is_some());
    [
        (400, true, "The request cannot be read."),
        (401, credential, "The credential is missing or no good."),
        (403, credential, "The role or the kind of credential does not reach."),
        (404, credential, "There is no such thing, or it is somebody else's."),
        (405, true, "This path does not take this method: answered to those that it lacks."),
        (409, changes, "What is there stands against it."),
        (412, endpoint.versioned, "There is another version than If-Match names."),
        (413, body, "The body is too long."),
        (415, body, "The body is no JSON."),
        (421, true, "This host is not served here."),
        (422, credential, "Fields are not as they have to be."),
        (429, endpoint.access == Access::Key, "The key asks too often."),
        (500, true, "The gate failed."),
        (503, true, "It cannot be decided at present; see Retry-After."),
    ]
}

fn responses() -> Map<String, Value> {
    let media =
        |schema: &str| json!({ "schema": { "$ref": format!("#/components/schemas/{schema}") } });
    let content = json!({
        "application/json": media("Error"), "application/problem+json": media("Problem"),
    });
    let mut responses = Map::new();
    for endpoint in ENDPOINTS {
        for (status, _, description) in refusals(endpoint) {
            let response = json!({
                "description": description, "headers": headers(status, None), "content": content,
            });
            responses.entry(status.to_string()).or_insert(response);
        }
    }
    responses
}

/// The headers of an answer with this status: an endpoint's success, or else a refusal.
fn headers(status: u16, success: Option<&Endpoint>) -> Map<String, Value> {
    let mut headers = Map::new();
    for (name, is_there, _) in all_headers(status, success) {
        if is_there {
            let reference = json!({ "$ref": format!("#/components/headers/{name}") });
            headers.insert(name.to_owned(), reference);
        }
    }
    headers
}

fn described_headers() -> Map<String, Value> {
    let mut headers = Map::new();
    for (name, _, about) in all_headers(0, None) {
        let required = name != REPLAYED;
        let described = json!({
            "description": about, "required": required, "schema": { "type": "string" },
        });
        headers.insert(name.to_owned(), described);
    }
    headers
}

/// Every header that answers may have: its name, whether this one has it, and what it means.
fn all_headers(status: u16, success: Option<&Endpoint>) -> [(&'static str, bool, &'static str); 8] {
    let changes = success.is_some_and(|endpoint| !endpoint.is_read());
    [
        ("Cache-Control", true, "Always `no-store`."),
        ("X-Request-Id", true, "What the record of changes calls this request."),
        ("ETag", success.is_some_and(Endpoint::is_tagged), "The version, for If-Match."),
        ("Location", status == 201, "Where the new one is."),
        (REPLAYED, changes, "`true` if it was done before, under the same Idempotency-Key."),
        ("WWW-Authenticate", status == 401, "What is missing or wrong (RFC 6750)."),
        ("Allow", status == 405, "The methods that the path takes."),
        ("Retry-After", matches!(status, 429 | 503), "Seconds after which to come again."),
    ]
}

fn parameters(endpoint: &Endpoint, schemas: &mut Map<String, Value>) -> Vec<Value> {
    let mut parameters = Vec::new();
    for segment in endpoint.path.split('/') {
        let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            continue;
        };
        let (about, pattern, example) = match name {
            "workspace" => (
                "Its number, or `current`: the only one of the caller.",
                "^(current|[0-9A-HJKMNP-TV-Z]{6})$",
                "current",
            ),
            "kid" => ("The key's public name.", "^[0-9A-HJKMNP-TV-Z]{20}$", "0DEM0WS040G208JZ5HKK"),
            "request_id" => (
                "What the answer's X-Request-Id and body call the request.",
                "^[0-9a-f]{32}$",
                "0123456789abcdef0123456789abcdef",
            ),
            _ => (
                "The issuer's name, a colon, the subject.",
                super::body::MEMBER.pattern,
                super::body::MEMBER.example,
            ),
        };
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": about,
            "schema": { "type": "string", "pattern": pattern }, "example": example,
        }));
    }
    for field in endpoint.query {
        parameters.push(json!({
            "name": field.name, "in": "query", "description": field.about,
            "schema": schema(&field.kind, true, schemas),
        }));
    }
    let mut header = |name: &str, about: &str| {
        parameters.push(json!({
            "name": name, "in": "header", "description": about, "schema": { "type": "string" },
        }));
    };
    if endpoint.versioned {
        header("If-Match", "The ETag of the version that is to be changed.");
    }
    if endpoint.access == Access::Scanner {
        header("Github-Public-Key-Identifier", "The name of the key that the report is signed by.");
    } else if !endpoint.is_read() {
        header(
            "Idempotency-Key",
            "1 to 255 characters: the same request is done once within a day.",
        );
    }
    parameters
}

fn security(access: Access) -> Value {
    if access == Access::Public {
        return json!([]);
    }
    let scheme = match access {
        Access::Key => "key",
        Access::Scanner => "scanner",
        Access::Public | Access::Token | Access::Member | Access::Admin | Access::Owner => "token",
    };
    let mut security = Map::new();
    security.insert(scheme.to_owned(), json!([]));
    json!([security])
}

/// A reference to an object, which is described once. What is sent has no other members; what is
/// answered may come to have more.
fn reference(object: &Object, strict: bool, schemas: &mut Map<String, Value>) -> Value {
    if object.fields.is_empty() {
        return json!({ "type": "object" });
    }
    if !schemas.contains_key(object.name) {
        schemas.insert(object.name.to_owned(), Value::Null);
        let mut properties = Map::new();
        for Field { name, kind, about, .. } in object.fields {
            let mut described = schema(kind, strict, schemas);
            if let Some(described) = described.as_object_mut().filter(|_| !about.is_empty()) {
                described.insert("description".to_owned(), json!(about));
            }
            properties.insert((*name).to_owned(), described);
        }
        let required = object.fields.iter().filter(|field| field.required).map(|field| field.name);
        let described = json!({
            "type": "object", "properties": properties, "required": required.collect::<Vec<_>>(),
            "additionalProperties": !strict,
        });
        schemas.insert(object.name.to_owned(), described);
    }
    json!({ "$ref": format!("#/components/schemas/{}", object.name) })
}

fn schema(kind: &Kind, strict: bool, schemas: &mut Map<String, Value>) -> Value {
    match kind {
        Kind::Text(least, most) if strict => json!({
            "type": "string", "minLength": least, "maxLength": most, "pattern": NO_CONTROLS,
        }),
        Kind::Text(..) => json!({ "type": "string" }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::Form(Form { pattern, example, .. }) => {
            json!({ "type": "string", "pattern": pattern, "examples": [example] })
        }
        Kind::Number(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
        Kind::List(kind, most) if strict => json!({
            "type": "array", "items": schema(kind, strict, schemas), "minItems": 1, "maxItems": most,
        }),
        Kind::List(kind, _) => json!({ "type": "array", "items": schema(kind, strict, schemas) }),
        Kind::Map(names, kind, most) => json!({
            "type": "object", "propertyNames": { "pattern": names.pattern }, "minProperties": 1,
            "maxProperties": most, "additionalProperties": schema(kind, strict, schemas),
        }),
        Kind::Object(object) => reference(object, strict, schemas),
        Kind::Optional(kind) => {
            json!({ "anyOf": [schema(kind, strict, schemas), { "type": "null" }] })
        }
    }
}

fn error() -> Value {
    json!({
        "type": "object", "required": ["error"],
        "properties": { "error": {
            "type": "object", "required": ["code", "message", "status", "request_id"],
            "properties": {
                "code": { "type": "string" }, "message": { "type": "string" },
                "status": { "type": "integer" }, "request_id": { "type": "string" },
                "retry_after": { "type": "integer" }, "doc_url": { "type": "string" },
                "errors": field_errors(),
            },
        } },
    })
}

/// RFC 9457.
fn problem() -> Value {
    json!({
        "type": "object", "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": { "type": "string" }, "title": { "type": "string" },
            "status": { "type": "integer" }, "detail": { "type": "string" },
            "code": { "type": "string" }, "request_id": { "type": "string" },
            "retry_after": { "type": "integer" }, "errors": field_errors(),
        },
    })
}

fn field_errors() -> Value {
    json!({ "type": "array", "items": {
        "type": "object", "required": ["field", "message"],
        "properties": { "field": { "type": "string" }, "message": { "type": "string" } },
    } })
}

const REPLAYED: &str = "Idempotent-Replayed";
const NO_CONTROLS: &str = "^[^\\u0000-\\u001F\\u007F-\\u009F]*$";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_and_every_schema_is_in_the_document() {
        let document: Value = serde_json::from_str(document()).unwrap();
        for endpoint in ENDPOINTS {
            let described = &document["paths"][endpoint.path][endpoint.method.to_ascii_lowercase()];
            assert_eq!(described["operationId"], endpoint.id);
        }
        let text = document.to_string();
        for part in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
    }
}
