// A request with a key, to paste. The secret is not here: it is read from the environment.

import { useState } from "preact/hooks";
import { Field, Title } from "./parts";

interface Request {
  method: string;
  url: string;
  body: string;
}

export function TryIt({ kid }: { kid: string }) {
  const [request, setRequest] = useState<Request>({ method: "GET", url: "https://api.example.com/v1/agents", body: "" });
  const set = (change: Partial<Request>) => setRequest({ ...request, ...change });
  return (
    <>
      <Title actions={<a class="button" href={`#/keys/${kid}`}>Back to the key</a>}>Try it</Title>
      <p>Put the key into the variable <code>PORTCULLIS_KEY</code>: its secret is known to you alone.</p>
      <form class="form" onSubmit={(event) => event.preventDefault()}>
        <div class="row">
          <Field label="Method">
            {(own) => (
              <select {...own} value={request.method} onChange={(event) => set({ method: event.currentTarget.value })}>
                {["GET", "POST", "PUT", "PATCH", "DELETE"].map((method) => <option key={method}>{method}</option>)}
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
      <Sample name="curl" text={curl(request)} />
      <Sample name="Python" text={python(request)} />
      <Sample name="JavaScript" text={script(request)} />
    </>
  );
}

function Sample({ name, text }: { name: string; text: string }) {
  const [said, setSaid] = useState("");
  const copy = () => navigator.clipboard.writeText(text).then(() => setSaid("Copied."), () => setSaid("Select the text to copy it."));
  return (
    <section>
      <h2>{name}</h2>
      <pre tabIndex={0} aria-label={`Request by ${name}`}>{text}</pre>
      <button type="button" onClick={copy}>Copy the {name}</button> <span role="status" class="small">{said}</span>
    </section>
  );
}

const hasBody = ({ method, body }: Request) => method !== "GET" && body !== "";
const shell = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** For a POSIX shell. */
export function curl(request: Request): string {
  const body = hasBody(request) ? ` \\\n  -H 'Content-Type: application/json' --data-binary ${shell(request.body)}` : "";
  return `curl -i -X ${request.method} -H "Authorization: Bearer $PORTCULLIS_KEY"${body} \\\n  -- ${shell(request.url)}`;
}

export function python(request: Request): string {
  const body = hasBody(request) ? `,\n    data=${JSON.stringify(request.body)}.encode()` : "";
  const media = hasBody(request) ? `, "Content-Type": "application/json"` : "";
  return `import os, urllib.request

request = urllib.request.Request(
    ${JSON.stringify(request.url)}, method="${request.method}",
    headers={"Authorization": "Bearer " + os.environ["PORTCULLIS_KEY"]${media}}${body})
print(urllib.request.urlopen(request).read().decode())`;
}

export function script(request: Request): string {
  const body = hasBody(request) ? `\n  body: ${JSON.stringify(request.body)},` : "";
  const media = hasBody(request) ? `, "content-type": "application/json"` : "";
  return `const response = await fetch(${JSON.stringify(request.url)}, {
  method: "${request.method}",
  headers: { authorization: \`Bearer \${process.env.PORTCULLIS_KEY}\`${media} },${body}
});
console.log(response.status, await response.text());`;
}
