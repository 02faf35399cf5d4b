// Settings as a file: out without secrets, in after a look at what would change.
import { api, Refused } from "../api/client";
import { plug } from "../api/plug";
import type { Json } from "../api/types";
import { h, ICONS, icon, setText } from "../lib/dom";
import { type Difference, differences, type Group, plainPath, put, withoutSecrets } from "../lib/patch";
import type { Editor } from "./editor";

const text = (value: Json | undefined): string => (value === undefined ? "–" : JSON.stringify(value));

async function save(): Promise<void> {
  const { settings } = await api.settings();
  const content = `${JSON.stringify(withoutSecrets(settings), null, 2)}\n`;
  const url = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  h("a", { href: url, download: `${plug.info.value?.id ?? "ossp"}-settings.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** The settings in a file; throws with a sentence if there are none. */
export function readSettings(content: string): Group {
  let found: Json;
  try {
    found = JSON.parse(content) as Json;
  } catch {
    throw new Error("This file is not JSON.");
  }
  if (typeof found !== "object" || found === null || Array.isArray(found) || !("schema" in found)) {
    throw new Error("This file does not hold the settings of a plug.");
  }
  const settings = withoutSecrets(found);
  // The plug raises the version of a calibration by itself.
  if (typeof settings.calibration === "object" && settings.calibration !== null) {
    delete (settings.calibration as Group).version;
  }
  return settings;
}

/** The card; what was imported is shown in the inputs of `editor` too. */
export function moveCard({ form, load }: Editor): HTMLElement {
  const note = h("p", { role: "status" });
  const problem = h("p", { class: "problem", role: "alert" });
  const preview = h("div");
  const file = h("input", { type: "file", id: "import-file", accept: ".json,application/json" });
  const withCalibration = h("input", { type: "checkbox", id: "import-calibration" });
  let found: { base: Group; wanted: Group; etag: string | null } | null = null;

  const fail = (error: unknown): void => setText(problem, (error as Error).message);
  const say = (message: string): void => {
    setText(problem, "");
    setText(note, message);
  };

  const changes = (): Difference[] => {
    if (!found) return [];
    const { calibration: _, ...others } = found.wanted;
    return differences(found.base, withCalibration.checked ? found.wanted : others);
  };
  const draw = (refused: { field: string; message: string }[] = []): void => {
    const list = changes();
    if (!found) return;
    say(list.length === 0 ? "The plug is set like that already." : "");
    const row = ({ path, from, to }: Difference): Node => {
      const why = refused.filter(({ field }) => `${plainPath(field)}.`.startsWith(`${path}.`));
      return h(
        "tr",
        { class: why.length > 0 ? "refused" : null },
        h("td", { "data-label": "Setting" }, h("code", {}, path)),
        h("td", { "data-label": "Now" }, text(from)),
        h(
          "td",
          { "data-label": "From the file" },
          h("span", {}, text(to), ...why.map(({ message }) => h("span", { class: "field-error" }, message))),
        ),
      );
    };
    const heads = ["Setting", "Now", "From the file"].map((head) => h("th", { scope: "col" }, head));
    const take = h("button", { type: "button", onclick: () => void send() }, "Import these");
    preview.replaceChildren(
      ...(list.length > 0
        ? [
            h(
              "table",
              { class: "stacks import" },
              h("thead", {}, h("tr", {}, ...heads)),
              h("tbody", {}, ...list.map(row)),
            ),
            take,
          ]
        : []),
    );
  };
  const read = async (): Promise<void> => {
    const [chosen] = file.files ?? [];
    if (!chosen) return;
    say("");
    preview.replaceChildren();
    try {
      const wanted = readSettings(await chosen.text());
      const { settings, etag } = await api.settings();
      found = { base: settings, wanted, etag };
      draw();
    } catch (error) {
      fail(error);
    }
  };
  const send = async (): Promise<void> => {
    if (!found) return;
    const { wanted } = found;
    const patch: Group = {};
    for (const { path, to } of changes()) put(patch, path, to);
    try {
      await api.changeSettings(patch, found.etag);
      found = null;
      preview.replaceChildren();
      file.value = "";
      await load(form.changed.value > 0);
      say("Imported.");
    } catch (error) {
      if (error instanceof Refused && error.status === 412) {
        const { settings, etag } = await api.settings();
        found = { wanted, base: settings, etag };
        draw();
        setText(problem, "Another tab or program has changed the settings meanwhile. Look again at what would change.");
      } else if (error instanceof Refused) {
        draw(error.fields);
        const rest = error.fields.filter(
          ({ field }) => !changes().some(({ path }) => plainPath(field).startsWith(path)),
        );
        const all = [error.message, ...rest.map((one) => `${one.field}: ${one.message}`)];
        setText(problem, all.join(" "));
      } else fail(error);
    }
  };
  file.addEventListener("change", () => void read());
  withCalibration.addEventListener("change", () => draw());

  return h(
    "section",
    { "class": "card settings", "id": "move", "tabindex": -1, "aria-labelledby": "move-title" },
    h("h2", { id: "move-title" }, "Export and import"),
    h("p", { class: "hint" }, "All settings as a file, without passwords. An import shows first what it would change."),
    h(
      "p",
      { class: "tools" },
      h(
        "button",
        { type: "button", class: "small", onclick: () => void save().catch(fail) },
        icon(ICONS.download),
        "Export",
      ),
    ),
    h("div", { class: "import-line" }, h("label", { for: "import-file" }, "Import a file"), file),
    h(
      "label",
      { class: "off" },
      withCalibration,
      h("span", {}, "Its calibration too (only if the file came from this very plug)"),
    ),
    preview,
    note,
    problem,
  );
}
