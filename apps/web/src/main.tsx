// Before the styles of the views.
import "./style.css";
import { render } from "preact";
import { App } from "./app.tsx";

render(<App />, document.body);
