// A signature that does not hold: what the gate saw against what was signed, part by part. Nothing is sent.

import { useEffect, useState } from "preact/hooks";
import { Field } from "./parts";

interface Part {
  part: string;
  sha256: string;
}

export function Ladder() {
  const [answer, setAnswer] = useState("");
  const parts = parse(answer);
  const wrong = answer.trim() !== "" && parts === null ? "is not an answer with a member signed" : undefined;
  return (
    <section>
      <h2>A signature that does not hold</h2>
      <p>
        Let the key explain it (Edit, Signed requests), send the request again, and paste the refusal. Nothing of this leaves the page.
      </p>
      <div class="form">
        <Field label="The refusal" error={wrong}>
          {(own) => <textarea {...own} class="code" rows={4} value={answer} spellcheck={false} onInput={(event) => setAnswer(event.currentTarget.value)} />}
        </Field>
      </div>
      {parts && <Steps key={answer} of={parts} />}
    </section>
  );
}

function Steps({ of: parts }: { of: Part[] }) {
  const [texts, setTexts] = useState<string[]>([]);
  const [hashes, setHashes] = useState<string[]>([]);
  useEffect(() => {
    let isOver = false;
    void Promise.all(parts.map((_, place) => sha256(texts[place] ?? ""))).then((all) => isOver || setHashes(all));
    return () => {
      isOver = true;
    };
  }, [parts, texts]);
  const first = parts.findIndex(({ sha256 }, place) => hashes[place] !== sha256);
  return (
    <div class="form">
      <p>Fill in what you signed, from above; the first that differs is the cause.</p>
      {parts.map(({ part, sha256 }, place) => {
        const isSame = hashes[place] === sha256;
        return (
          <Field key={part} label={part} hint={isSame ? "the same" : `differs: the gate saw SHA-256 ${sha256.slice(0, 16)}…`}>
            {(own) => (
              <textarea {...own} class="code" rows={1} value={texts[place] ?? ""} spellcheck={false} autocomplete="off"
                onInput={(event) => setTexts(parts.map((_, other) => (other === place ? event.currentTarget.value : (texts[other] ?? ""))))} />
            )}
          </Field>
        );
      })}
      <p role="status" class="effect">
        {first < 0 ? "All parts are the same: the secret differs, or how it is used." : `The first that differs: ${parts[first]?.part}.`}
      </p>
    </div>
  );
}

/** The member `signed` of an answer. */
export function parse(text: string): Part[] | null {
  try {
    const answer = JSON.parse(text);
    const signed = answer?.error?.signed ?? answer?.signed;
    const isPart = (one: unknown) => typeof (one as Part)?.part === "string" && /^[0-9a-f]{64}$/.test((one as Part).sha256);
    return Array.isArray(signed) && signed.length > 0 && signed.every(isPart) ? signed : null;
  } catch {
    return null;
  }
}

/** Of UTF-8, as the gate writes it. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
