// The orientation cube: six buttons with letters, turned as the patient is.
import { h } from "../shared/dom";
import type { Letter } from "../space/index";
import type { Vec3 } from "./scene";

type Axes = readonly (readonly [number, number, number])[];

/** Outward normal and direction of reading of each face, in RAS+. */
const FACES: Record<Letter, [normal: Vec3, reading: Vec3, words: string]> = {
  A: [[0, 1, 0], [-1, 0, 0], "front"],
  P: [[0, -1, 0], [1, 0, 0], "back"],
  L: [[-1, 0, 0], [0, -1, 0], "patient's left"],
  R: [[1, 0, 0], [0, 1, 0], "patient's right"],
  S: [[0, 0, 1], [1, 0, 0], "above"],
  I: [[0, 0, -1], [-1, 0, 0], "below"],
};
const HALF_PX = 19;

const cross = (a: Vec3, b: Vec3): Vec3 => [
  a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0],
];

export interface Cube {
  el: HTMLElement;
  /** Right, up and towards the viewer, in RAS+. */
  turn(axes: Axes): void;
  /** Draw it as it is seen on an image of its tile. */
  paint(context: CanvasRenderingContext2D): void;
}

/** A face that is seen: where its directions of reading, downwards and outwards point on the page. */
interface Seen {
  letter: Letter;
  face: HTMLElement;
  x: Vec3;
  y: Vec3;
  z: Vec3;
}

export function cube(look: (view: Letter) => void): Cube {
  const faces = (Object.keys(FACES) as Letter[]).map((letter) => {
    const words = `See it from ${letter === "A" || letter === "P" ? "the " : ""}${FACES[letter][2]}`;
    const face = h("button", { class: `xp-face xp-face-${letter}`, "aria-label": words, title: words }, letter);
    face.addEventListener("click", (event) => {
      event.stopPropagation();
      look(letter);
    });
    return { letter, face };
  });
  const el = h("div", { class: "xp-cube", role: "group", "aria-label": "Directions of view" }, ...faces.map((f) => f.face));
  let shown: Seen[] = [];
  return {
    el,
    turn([right, up, back]) {
      shown = [];
      // Style sheets have y downwards.
      const seen = (v: Vec3): Vec3 =>
        [right!, up!.map((n) => -n), back!].map((axis) => axis[0]! * v[0] + axis[1]! * v[1] + axis[2]! * v[2]) as Vec3;
      for (const { letter, face } of faces) {
        const [normal, reading] = FACES[letter];
        const down = cross(reading, normal);
        const [x, y, z] = [seen(reading), seen(down), seen(normal)];
        const numbers = [...x, 0, ...y, 0, ...z, 0, ...z.map((n) => n * HALF_PX), 1];
        face.style.transform = `matrix3d(${numbers.map((n) => n.toFixed(5)).join(",")})`;
        // Faces on the far side are neither seen nor reached.
        const isNear = z[2] > 0.02;
        face.style.visibility = isNear ? "visible" : "hidden";
        if (isNear) shown.push({ letter, face, x, y, z });
        // A letter that is seen at a slant is only a smudge.
        face.style.color = z[2] > 0.4 ? "" : "transparent";
        face.style.filter = `brightness(${(0.62 + 0.38 * Math.max(z[2], 0)).toFixed(3)})`;
      }
    },
    paint(context) {
      context.save();
      context.textAlign = "center";
      context.textBaseline = "middle";
      for (const { letter, face, x, y, z } of shown) {
        const look = getComputedStyle(face);
        context.setTransform(x[0], x[1], y[0], y[1], el.offsetLeft + z[0] * HALF_PX, el.offsetTop + z[1] * HALF_PX);
        context.filter = look.filter;
        context.fillStyle = look.backgroundColor;
        context.fillRect(-HALF_PX, -HALF_PX, 2 * HALF_PX, 2 * HALF_PX);
        context.strokeStyle = look.borderTopColor;
        context.strokeRect(0.5 - HALF_PX, 0.5 - HALF_PX, 2 * HALF_PX - 1, 2 * HALF_PX - 1);
        context.fillStyle = look.color;
        context.font = `${look.fontWeight} ${look.fontSize} ${look.fontFamily}`;
        context.fillText(letter, 0, 1);
      }
      context.restore();
    },
  };
}
