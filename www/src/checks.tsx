// The checks of a request, in their order.

import type { Step } from "./types";

const COLOUR = { refused: "revoked", passed: "active", open: "", "not reached": "" };

export function Checks({ of: checks }: { of: Step[] }) {
  return (
    <div class="scroll" role="region" aria-label="Checks" tabIndex={0}>
      <table>
        <thead><tr>{["Check", "Verdict", "What it was about"].map((text) => <th key={text} scope="col">{text}</th>)}</tr></thead>
        <tbody>
          {checks.map(({ check, verdict, detail }) => (
            <tr key={check}>
              <th scope="row">{check}</th>
              <td><span class={`badge ${COLOUR[verdict]}`}>{verdict}</span></td>
              <td>{detail}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
