//! Keys that were made elsewhere: known by the SHA-256 of their texts, found by a pointer in KV.

use serde_json::{Map, Value as Json, json};

use super::super::{Meta, Object, outbox};
use super::about::difference;
use super::create::defect;
use super::{Change, Done, Outcome, Request, Trouble, audit, live};
use crate::imported::PointerId;
use crate::management::body;
use crate::management::problem::{FieldError, Problem};
use crate::mint;
use crate::record::{Document, SecretDocument};

impl Object<'_> {
    /// Each row for itself: one that is refused does not keep the others out.
    pub(super) fn import_keys(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        if self.gate.policy.imports.is_empty() {
            let message = "the policy has no [[imports]]: such keys would not be recognised";
            return Err(Problem::field("keys", message).into());
        }
        let rows = request.body.get("keys").and_then(Json::as_array).ok_or_else(defect)?;
        let hashes = rows.iter().filter_map(|row| row.get("sha256")?.as_str());
        let hashes: Vec<[u8; 32]> = hashes.filter_map(body::sha256).collect();
        let versions: Vec<_> = self.gate.keyring.versions().collect();
        let ids = hashes.iter().flat_map(|hash| {
            versions.iter().map(|root| pointer_row(&PointerId::of_sha256(root, hash)))
        });
        // In one go: each that were missed later would have all rows worked through once more.
        let mut needed: Vec<String> = ids.collect();
        needed.extend(self.fresh_rows(meta, &request.call.entropy, rows.len())?);
        needed.extend([audit::HEAD, live::LIVE].map(str::to_owned));
        self.rows.require_all(needed, vec![self.ends(meta)])?;
        let (mut results, mut changes) = (Vec::new(), Vec::new());
        for (number, (row, hash)) in rows.iter().zip(&hashes).enumerate() {
            let number = u8::try_from(number).unwrap_or(u8::MAX);
            let result = match self.import(meta, request, row, hash, number) {
                Ok((kid, Some(change))) => {
                    changes.push(change);
                    json!({ "result": "created", "id": kid })
                }
                Ok((kid, None)) => json!({ "result": "exists", "id": kid }),
                Err(Trouble::Problem(problem)) => {
                    json!({ "result": "refused", "code": problem.code, "message": told(&problem) })
                }
                Err(stop) => return Err(stop),
            };
            results.push(result);
        }
        Ok(Done { changes, ..Done::read(json!({ "rows": results })) })
    }

    /// The key, and what was changed if it is new.
    fn import(
        &mut self,
        meta: &Meta,
        request: &Request<'_>,
        row: &Json,
        hash: &[u8; 32],
        number: u8,
    ) -> Outcome<(String, Option<Change>)> {
        for root in self.gate.keyring.versions() {
            let id = PointerId::of_sha256(root, hash);
            if let Some(kid) = self.rows.text(&pointer_row(&id))? {
                return Ok((kid.to_owned(), None));
            }
        }
        let fields = row.as_object().ok_or_else(defect)?;
        let root = self.gate.keyring.newest();
        let kid = self.fresh_kid(meta, &request.call.entropy, number)?;
        let digest = mint::imported_digest(root, hash);
        let secret = SecretDocument::new(0, root.version(), &digest);
        let prefix = self.gate.policy.management.key_prefix.to_string();
        let document = Document::new(&kid, &prefix, secret, self.now.seconds());
        let about = self.about(fields, request.call, true);
        let known = self.add_key(meta, request.call, fields, document, about)?;
        let id = PointerId::of_sha256(root, hash);
        self.rows.put(pointer_row(&id), &outbox::Pointed(kid));
        self.rows.put(outbox::row(&id.kv_name()), &1);
        let changes = difference(&Map::new(), &known.fields());
        let target = kid.to_string();
        Ok((target.clone(), Some(Change { action: "key.import", target, changes })))
    }
}

fn told(problem: &Problem) -> String {
    let told = |FieldError { field, message }: &FieldError| format!("{field} {message}");
    match problem.errors.as_slice() {
        [] => problem.message.clone(),
        errors => errors.iter().map(told).collect::<Vec<_>>().join("; "),
    }
}

fn pointer_row(id: &PointerId) -> String {
    outbox::pointer_row(&id.kv_name())
}
