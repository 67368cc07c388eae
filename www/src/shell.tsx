// The frame around every page: sign-in, navigation, the workspace at hand.

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Alerts } from "./alerts";
import { Audit } from "./audit";
import { refusals, signedIn, signedOut, signOut } from "./api";
import { Explain } from "./explain";
import { KeyForm } from "./keys/form";
import { ImportPage } from "./keys/import";
import { KeyList } from "./keys/list";
import { KeyPage } from "./keys/page";
import { Limits } from "./limits";
import { Members } from "./members";
import { Await, Modal, Trouble, useLoad } from "./parts";
import { Debug } from "./debug";
import { PolicyPage } from "./policy";
import { isShown, keep, leave, resume, route } from "./route";
import { Leave } from "./secret";
import { choose, load, may, me, onSignedIn, other, space, spaces } from "./state";
import { theme, turn } from "./theme";
import { TryIt } from "./try";
import type { Role } from "./types";
import { UsagePage } from "./usage";

interface Page {
  name: string;
  path: string;
  role: Role;
}

const PAGES: Page[] = [
  { name: "Keys", path: "keys", role: "member" },
  { name: "Usage", path: "usage", role: "member" },
  { name: "Members", path: "members", role: "member" },
  { name: "Limits", path: "limits", role: "member" },
  { name: "Policy", path: "policy", role: "member" },
  { name: "Explain", path: "explain", role: "member" },
  { name: "Alerts", path: "alerts", role: "admin" },
  { name: "Denials", path: "denials", role: "admin" },
  { name: "Audit", path: "audit", role: "admin" },
];

const trouble = signal<Error | null>(null);

export function Shell() {
  const loaded = useLoad(async () => {
    await load();
    resume();
    return true;
  }, []);
  useEffect(
    () =>
      onSignedIn((subject) => {
        if (me.value === null) return;
        other.value = subject === me.value.subject ? null : subject;
        if (other.value === null && signedOut.value) signedIn();
      }),
    [],
  );
  const refused = refusals.value;
  useEffect(() => {
    if (refused > 0) load().catch(() => {});
  }, [refused]);
  if (me.value === null && signedOut.value) return <Welcome />;
  return (
    <Await of={loaded}>
      {() => (
        <>
          <a class="skip" href="#main" onClick={skip}>Skip to content</a>
          <Header />
          <main id="main" tabIndex={-1}>
            {trouble.value && <Trouble error={trouble.value} />}
            {space.value ? <Content key={space.value.id} /> : <Nothing />}
          </main>
          <Leave />
          {other.value ? !isShown.value && <Another subject={other.value} /> : signedOut.value && <SignedOut />}
        </>
      )}
    </Await>
  );
}

function Content() {
  const [page = "keys", id, more] = route.value;
  switch (page) {
    case "keys":
      if (id === undefined) return <KeyList />;
      if (id === "import") return may("admin") ? <ImportPage /> : <Nothing />;
      if (id === "new") return may("admin") ? <KeyForm /> : <Nothing />;
      // It becomes a part of paths.
      if (!/^\w+$/.test(id)) return <Nothing />;
      // Each key has a page of its own: what was asked, typed or shown of another is none of it.
      if (more === "try") return <TryIt key={id} kid={id} />;
      return more === "edit" && may("admin") ? <KeyForm key={id} kid={id} /> : <KeyPage key={id} kid={id} />;
    case "usage":
      return <UsagePage />;
    case "members":
      return <Members />;
    case "limits":
      return <Limits />;
    case "policy":
      return <PolicyPage />;
    case "explain":
      return <Explain />;
    case "alerts":
      return may("admin") ? <Alerts /> : <Nothing />;
    case "denials":
      return may("admin") ? <Debug id={id ?? ""} /> : <Nothing />;
    case "audit":
      return may("admin") ? <Audit /> : <Nothing />;
    default:
      return <Nothing />;
  }
}

function Header() {
  const own = route.value[0] ?? "keys";
  const turnTo = ({ currentTarget: select }: { currentTarget: HTMLSelectElement }) => {
    const { value } = select;
    select.value = space.value?.id ?? "";
    leave(() => choose(value));
  };
  const end = async () => {
    try {
      await signOut();
      isShown.value = false;
      location.assign("/");
    } catch (error) {
      trouble.value = error as Error;
    }
  };
  return (
    <header>
      <p class="brand">Portcullis</p>
      <nav aria-label="Pages">
        <ul>
          {PAGES.filter(({ role }) => may(role)).map(({ name, path }) => (
            <li key={path}>
              <a href={`#/${path}`} aria-current={own === path ? "page" : undefined}>{name}</a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="who">
        {spaces.value.length > 1 && (
          <label>
            <span class="hidden">Workspace</span>
            <select value={space.value?.id} onChange={turnTo}>
              {spaces.value.map(({ id, name }) => <option key={id} value={id}>{name} ({id})</option>)}
            </select>
          </label>
        )}
        <span class="small">{me.value?.subject}{space.value && `, ${space.value.role}`}</span>
        <button type="button" class="quiet" onClick={turn}>Theme: {theme.value}</button>
        <button type="button" class="quiet" onClick={() => leave(() => void end())}>Sign out</button>
      </div>
    </header>
  );
}

function Welcome() {
  return (
    <main id="main" class="welcome">
      <h1>Portcullis</h1>
      <p>Manage the API keys of your workspace.</p>
      <p><a class="button" href="/login" onClick={keep}>Sign in</a></p>
    </main>
  );
}

function Nothing() {
  return (
    <>
      <h1>Nothing here</h1>
      <p>{space.value ? "There is no such page, or not for your role." : "You are a member of no workspace. Ask an owner to add you."}</p>
    </>
  );
}

/** Over a page whose session has ended: what was typed stays while somebody signs in in another tab. */
function SignedOut() {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <Modal of={dialog} title="Your session has ended" close={() => dialog.current?.showModal()}>
      <p>Nothing on this page is lost. Sign in in another tab, and this one goes on.</p>
      <div class="actions">
        <a class="button" href="/login" target="_blank" rel="noopener">Sign in</a>
      </div>
    </Modal>
  );
}

/** Over a page of somebody who is not signed in any more, but somebody else. */
function Another({ subject }: { subject: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <Modal of={dialog} title="Somebody else has signed in" close={() => dialog.current?.showModal()}>
      <p>This page is of {me.value?.subject}. From now on it would speak for {subject}: it has to be loaded again, without what was typed.</p>
      <div class="actions">
        <button type="button" class="primary" onClick={() => location.reload()}>Go on as {subject}</button>
      </div>
    </Modal>
  );
}

function skip(event: Event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
