// What a page shows until its kernel, which may have waited long before, has opened the data set.
import type { AnyModel, Render } from "@anywidget/types";
import "../shared/theme.css";
import "./entrance.css";
import { errorLine, h, root } from "../shared/dom";
import { connect } from "../shared/kernel";

interface ModelState {
  title: string;
  error: string;
}

function render({ model, el }: { model: AnyModel<ModelState>; el: HTMLElement }): () => void {
  root(el, "entrance", "Opening");
  const kernel = connect(model);
  const said = h("p", { role: "status" }, `Opening ${model.get("title")} …`);
  el.append(said);
  const disposeError = errorLine(el, model);
  kernel.ask("enter").catch(() => said.remove());
  return () => {
    disposeError();
    kernel.dispose();
  };
}

export default (): { render: Render<ModelState> } => ({ render });
