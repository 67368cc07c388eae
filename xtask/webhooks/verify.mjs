// Verifies deliveries as a receiver does, by the library `standardwebhooks`. Reads from standard input
// {secrets: [oldest first], deliveries: [{headers, body}]}; prints how many hold by every secret that signed them, and by
// no other, and do not when anything of them is changed.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const { secrets, deliveries } = JSON.parse(readFileSync(0, "utf8"));
const stranger = new Webhook(`whsec_${Buffer.alloc(32, 7).toString("base64")}`);

function holds(webhook, headers, body) {
  try {
    webhook.verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

let count = 0;
for (const { headers, body } of deliveries) {
  const signatures = headers["webhook-signature"].split(" ");
  if (signatures.length > secrets.length) throw new Error(`${signatures.length} signatures`);
  for (const secret of secrets.slice(0, signatures.length)) {
    const webhook = new Webhook(secret);
    if (JSON.stringify(webhook.verify(body, headers)) !== JSON.stringify(JSON.parse(body))) throw new Error(body);
    const changed = { ...headers, "webhook-id": `${headers["webhook-id"]}0` };
    if (holds(webhook, headers, body.replace("}", " }")) || holds(webhook, changed, body)) throw new Error("a changed one holds");
  }
  if (holds(stranger, headers, body)) throw new Error("another's secret holds");
  count++;
}
console.log(count);
