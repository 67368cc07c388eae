// Who may see and manage the workspace.

import { useState } from "preact/hooks";
import { ask, get, wrongWith } from "./api";
import { Await, Confirm, Field, Title, Trouble, useChange, useLoad } from "./parts";
import { go } from "./route";
import { at, load, may, me } from "./state";
import { day } from "./time";
import type { Member, Role } from "./types";

export function Members() {
  const loaded = useLoad(() => get<{ members: Member[] }>(at("/members")), []);
  const [leaving, setLeaving] = useState<Member | null>(null);
  const { error, change } = useChange();
  const put: Put = async (member, role) => {
    await ask("PUT", path(member), { body: { role } });
    loaded.reload();
    if (member === me.value?.subject) await load();
  };
  const remove = async ({ member }: Member) => {
    await ask("DELETE", path(member));
    if (member !== me.value?.subject) return loaded.reload();
    await load();
    go("keys");
  };
  return (
    <>
      <Title>Members</Title>
      {error && <Trouble error={error} />}
      <Await of={loaded}>
        {({ members }) => (
          <div class="scroll" role="region" aria-label="Members" tabIndex={0}>
            <table>
              <thead><tr>{["Member", "Role", "Since", "Added by", "Actions"].map((text) => <th key={text} scope="col">{text}</th>)}</tr></thead>
              <tbody>
                {members.map((one) => {
                  const isOnly = one.role === "owner" && members.filter(({ role }) => role === "owner").length === 1;
                  const isMine = one.member === me.value?.subject;
                  const manages = may(one.role === "owner" ? "owner" : "admin");
                  return (
                    <tr key={one.member}>
                      <th scope="row">{one.member}</th>
                      <td>{manages && !isOnly ? <RoleOf member={one} put={async (member, role) => void (await change(() => put(member, role)))} /> : one.role}</td>
                      <td>{day(one.added)}</td>
                      <td>{one.added_by}</td>
                      <td>{(manages || isMine) && !isOnly && <button type="button" onClick={() => setLeaving(one)}>{isMine ? "Leave" : "Remove"}</button>}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        )}
      </Await>
      {may("admin") && <Add put={put} />}
      {leaving && (
        <Confirm key={leaving.member} title={`Remove ${leaving.member}?`} action="Remove" close={() => setLeaving(null)} act={() => remove(leaving)}>
          <p>The member's personal keys are revoked with the membership.</p>
        </Confirm>
      )}
    </>
  );
}

type Put = (member: string, role: Role) => Promise<void>;

const roles = (): Role[] => (may("owner") ? ["member", "admin", "owner"] : ["member", "admin"]);
const path = (member: string) => at(`/members/${member.replace(/[^A-Za-z0-9._~:@-]/g, encodeURIComponent)}`);

function RoleOf({ member, put }: { member: Member; put: Put }) {
  return (
    <select aria-label={`Role of ${member.member}`} value={member.role} onChange={(event) => put(member.member, event.currentTarget.value as Role)}>
      {roles().map((role) => <option key={role}>{role}</option>)}
    </select>
  );
}

function Add({ put }: { put: Put }) {
  const [member, setMember] = useState("");
  const [role, setRole] = useState<Role>("member");
  const [wrong, setWrong] = useState<string | undefined>();
  const { isBusy, error, change } = useChange();
  const send = (event: Event) => {
    event.preventDefault();
    if (!/^[a-z][a-z0-9-]{0,31}:[!-~]{1,255}$/.test(member)) return setWrong("write the issuer's name, a colon and the subject, without spaces");
    setWrong(undefined);
    void change(() => put(member, role).then(() => setMember("")));
  };
  return (
    <form class="form" onSubmit={send} noValidate>
      <h2>Add a member</h2>
      <Field label="Member" hint={`As tokens name people: ${me.value?.subject}`} error={wrong ?? wrongWith(error, (field) => field !== "role")}>
        {(own) => <input {...own} value={member} spellcheck={false} autocomplete="off" onInput={(event) => setMember(event.currentTarget.value)} />}
      </Field>
      <Field label="Role" error={wrongWith(error, (field) => field === "role")}>
        {(own) => (
          <select {...own} value={role} onChange={(event) => setRole(event.currentTarget.value as Role)}>
            {roles().map((one) => <option key={one}>{one}</option>)}
          </select>
        )}
      </Field>
      {error && <Trouble error={error} />}
      <button class="primary" disabled={isBusy}>Add</button>
    </form>
  );
}
