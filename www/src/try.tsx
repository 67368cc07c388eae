// A request with a key, to paste, as the key has to make it.

import { useState } from "preact/hooks";
import { get } from "./api";
import { Await, Field, Title, useLoad } from "./parts";
import { policy } from "./policy";
import { curl, first, python, type Request, script, signedBy, signedCurl, signedPython, signedScript } from "./samples";
import { at } from "./state";
import type { Key, Policy } from "./types";

export function TryIt({ kid }: { kid: string }) {
  const loaded = useLoad(async () => {
    const [own, key] = await Promise.all([policy(), get<Key>(at(`/api-keys/${kid}`))]);
    return { policy: own, key };
  }, [kid]);
  return (
    <>
      <Title actions={<a class="button" href={`#/keys/${kid}`}>Back to the key</a>}>Try it</Title>
      <Await of={loaded}>{({ policy, key }) => <Form key={key.id} policy={policy} of={key} />}</Await>
    </>
  );
}

function Form({ policy, of: key }: { policy: Policy; of: Key }) {
  const own = first(policy, key);
  const signed = signedBy(key);
  const [request, setRequest] = useState<Request>(own ?? { method: "GET", url: `https://${policy.hosts[0]}/`, body: "" });
  const set = (change: Partial<Request>) => setRequest({ ...request, ...change });
  const methods = [...new Set(["GET", "POST", "PUT", "PATCH", "DELETE", request.method])];
  return (
    <>
      {!own && <p>No route of the policy takes this key as it is.</p>}
      {signed?.mode !== "only" && <p>Put the key into the variable <code>PORTCULLIS_API_KEY</code>, and export it: its secret is known to you alone.</p>}
      {signed && <p>Put the signing secret into <code>PORTCULLIS_SIGNING_SECRET</code>{signed.mode === "only" && ": the key itself is never sent"}.</p>}
      <form class="form" onSubmit={(event) => event.preventDefault()}>
        <div class="row">
          <Field label="Method">
            {(own) => (
              <select {...own} value={request.method} onChange={(event) => set({ method: event.currentTarget.value })}>
                {methods.map((method) => <option key={method}>{method}</option>)}
              </select>
            )}
          </Field>
          <Field label="URL">
            {(own) => <input {...own} class="code" value={request.url} spellcheck={false} onInput={(event) => set({ url: event.currentTarget.value })} />}
          </Field>
        </div>
        {request.method !== "GET" && (
          <Field label="Body (JSON)">
            {(own) => <textarea {...own} class="code" rows={3} value={request.body} spellcheck={false} onInput={(event) => set({ body: event.currentTarget.value })} />}
          </Field>
        )}
      </form>
      <Sample name="curl" text={signed ? signedCurl(request, signed) : curl(request)} hint={signed && "Signed by the command line, portcullis."} />
      <Sample name="Python" text={signed ? signedPython(request, signed) : python(request)} hint={signed && "With sign.py of docs/signatures.md beside it."} />
      <Sample name="JavaScript" text={signed ? signedScript(request, signed) : script(request)} hint={signed && "With the npm package portcullis."} />
    </>
  );
}

function Sample({ name, text, hint }: { name: string; text: string; hint: string | null }) {
  const [said, setSaid] = useState("");
  const copy = () => navigator.clipboard.writeText(text).then(() => setSaid("Copied."), () => setSaid("Select the text to copy it."));
  return (
    <section>
      <h2>{name}</h2>
      {hint && <p class="hint">{hint}</p>}
      <pre tabIndex={0} aria-label={`Request by ${name}`}>{text}</pre>
      <button type="button" onClick={copy}>Copy the {name}</button> <span role="status" class="small">{said}</span>
    </section>
  );
}
