// The 3D picture: surfaces, slice planes and crosshair. A program of its own, loaded when 3D is first shown.
import {
  AmbientLight, BackSide, Box3, BufferAttribute, BufferGeometry, CanvasTexture, Color, DirectionalLight, DoubleSide,
  Group, LinearFilter, LineBasicMaterial, LineSegments, Mesh, MeshBasicMaterial, MeshPhongMaterial,
  Raycaster, Scene as Stage, SRGBColorSpace, Vector2, Vector3, WebGLRenderer,
} from "three";
import { orbit, type Letter, type Orbit } from "./camera";

export type { Letter } from "./camera";

type Triple = readonly [number, number, number];

/** A surface as it comes from the kernel: `vertex = origin + step * code`, in RAS+ mm. */
export interface SurfaceData {
  codes: Uint16Array;
  origin: Triple;
  step: Triple;
  triangles: Uint16Array | Uint32Array;
}

export interface Look {
  color: Triple;
  opacity: number;
  bright: boolean;
}

/** A slice: its four corners in RAS+ mm (low low, high low, high high, low high) and its pixels. */
export interface Slice {
  corners: readonly Triple[];
  pixels: HTMLCanvasElement;
  /** Shares of its columns and rows that lie between the corners. */
  across: number;
  up: number;
  /** Changes when the pixels do. */
  key: string;
}

export interface Hit {
  /** The surface, or "" for a slice. */
  name: string;
  /** RAS+ mm, on the surface. */
  at: Triple;
  /** Away from the viewer. */
  into: Triple;
  /** How far it is from there through the structure, in mm. */
  depth: number;
}

export interface Space {
  /** Right, up and towards the viewer, in RAS+. */
  axes(): [Triple, Triple, Triple];
  put(name: string, data: SurfaceData): void;
  /** Show these so, hide all others. */
  show(looks: ReadonlyMap<string, Look>): void;
  /** Forget all surfaces. */
  empty(): void;
  slices(slices: readonly (Slice | null)[]): void;
  /** Six ends of the three lines, RAS+ mm; null for none. */
  cross(ends: readonly Triple[] | null): void;
  pick(x: number, y: number): Hit | null;
  /** See all that is shown, or this box where nothing is. */
  fit(box: readonly Triple[]): void;
  turn(azimuthDegrees: number, elevationDegrees: number): void;
  zoom(factor: number): void;
  pan(x: number, y: number): void;
  /** From a side, or as at the start. */
  look(view: Letter | null): void;
  resize(width: number, height: number, ratio: number): void;
  render(): void;
  /** Render and wait for the picture; returns how many milliseconds it took. */
  timed(): number;
  memory(): { geometries: number; textures: number };
  dispose(): void;
}

type Surface = Mesh<BufferGeometry, MeshPhongMaterial>;

const INK = 0x0b0d10;
const CROSS = 0x4da3ff;
const HIGHLIGHT = 0.3;

/** Start on a canvas; null where the browser gives no WebGL 2. */
export function open(canvas: HTMLCanvasElement): Space | null {
  const context = canvas.getContext("webgl2", { antialias: true, alpha: false, powerPreference: "high-performance" });
  if (!context) return null;
  const renderer = new WebGLRenderer({ canvas, context, antialias: true });
  renderer.setClearColor(INK, 1);
  const stage = new Stage();
  const view: Orbit = orbit();
  light(stage, view);
  const surfaces = new Group();
  const kept = new Map<string, Surface>();
  const farSides = new Map<Surface, Surface>();
  /** The direction that transparent surfaces are sorted for, until another one is shown. */
  let sortedFor: Vector3 | null = null;
  const planes = [0, 1, 2].map(slicePlane);
  const lines = crosshair();
  stage.add(surfaces, ...planes.map((p) => p.mesh), ...lines.all);
  const ray = new Raycaster();
  /** Where the ray leaves a surface that it meets at a distance. */
  const exit = (mesh: Surface, entered: number): number => {
    const side = mesh.material.side;
    mesh.material.side = BackSide;
    const left = ray.intersectObject(mesh, false).find((hit) => hit.distance > entered);
    mesh.material.side = side;
    return left?.distance ?? entered;
  };

  const drop = (name: string): void => {
    const mesh = kept.get(name);
    if (!mesh) return;
    kept.delete(name);
    mesh.removeFromParent();
    mesh.geometry.dispose();
    mesh.material.dispose();
    farSides.get(mesh)?.material.dispose();
    farSides.delete(mesh);
  };
  /** The far side of a transparent surface: it is seen too, and drawn before all that lies within. */
  const farSide = (mesh: Surface): Surface => {
    const known = farSides.get(mesh);
    if (known) return known;
    const far = new Mesh(mesh.geometry, mesh.material.clone());
    far.material.side = BackSide;
    farSides.set(mesh, far);
    mesh.add(far);
    return far;
  };
  /**
   * Draw what is transparent from far to near, far sides at the distance of their farthest point and near
   * sides at that of their nearest: so what lies within another surface is between its two sides.
   */
  const sortClear = (): void => {
    const [, , back] = view.axes();
    if (sortedFor?.equals(back)) return;
    sortedFor = back;
    const sides: [number, Surface][] = [];
    for (const mesh of kept.values()) {
      if (!mesh.visible || !mesh.material.transparent) continue;
      const [near, far] = reach(mesh, back);
      sides.push([near, mesh], [far, farSide(mesh)]);
    }
    sides.sort(([a], [b]) => a - b).forEach(([, side], i) => (side.renderOrder = i + 1));
  };
  const render = (): void => {
    sortClear();
    renderer.render(stage, view.camera);
  };
  const bounds = (): Box3 | null => {
    const box = new Box3();
    for (const mesh of kept.values()) if (mesh.visible) box.expandByObject(mesh);
    for (const plane of planes) if (plane.mesh.visible) box.expandByObject(plane.mesh);
    return box.isEmpty() ? null : box;
  };

  return {
    axes: () => view.axes().map((v) => v.toArray() as Triple) as [Triple, Triple, Triple],
    put(name, data) {
      drop(name);
      const mesh = new Mesh(geometryOf(data), material());
      mesh.position.set(...centreOf(data));
      mesh.visible = false;
      mesh.name = name;
      kept.set(name, mesh);
      surfaces.add(mesh);
    },
    show(looks) {
      sortedFor = null;
      for (const [name, mesh] of kept) {
        const look = looks.get(name);
        mesh.visible = look !== undefined && look.opacity > 0.004;
        if (!look) continue;
        const clear = look.opacity < 0.996;
        const m = mesh.material;
        if (!clear) mesh.renderOrder = 0;
        const far = clear ? farSide(mesh) : farSides.get(mesh);
        if (far) far.visible = clear;
        for (const side of far ? [m, far.material] : [m]) {
          if (side.transparent !== clear) {
            side.transparent = clear;
            side.depthWrite = !clear; // what is transparent hides nothing
            side.needsUpdate = true;
          }
          side.opacity = look.opacity;
          side.color.setRGB(look.color[0] / 255, look.color[1] / 255, look.color[2] / 255, SRGBColorSpace);
          side.emissive.copy(side.color).lerp(new Color(1, 1, 1), 0.25).multiplyScalar(look.bright ? HIGHLIGHT : 0);
        }
      }
    },
    empty: () => [...kept.keys()].forEach(drop),
    slices: (slices) => planes.forEach((plane, i) => plane.set(slices[i] ?? null)),
    cross: (ends) => lines.set(ends),
    pick(x, y) {
      ray.setFromCamera(new Vector2(2 * x - 1, 1 - 2 * y), view.camera);
      const targets = [...surfaces.children, ...planes.map((p) => p.mesh)].filter((mesh) => mesh.visible);
      const hit = ray.intersectObjects(targets, false)[0];
      if (!hit) return null;
      const { object, point, distance } = hit as { object: Mesh; point: Vector3; distance: number };
      const far = object.name ? exit(object as Surface, distance) : distance;
      return { name: object.name, at: point.toArray() as Triple, into: ray.ray.direction.toArray() as Triple, depth: far - distance };
    },
    fit(box) {
      view.fit(bounds() ?? new Box3().setFromPoints(box.map((p) => new Vector3(...p))));
    },
    turn: view.turn,
    zoom: view.zoom,
    pan: view.pan,
    look: view.look,
    resize(width, height, ratio) {
      renderer.setPixelRatio(ratio);
      renderer.setSize(width, height, false);
      view.resize(width / height);
    },
    render,
    timed() {
      const start = performance.now();
      render();
      context.readPixels(0, 0, 1, 1, context.RGBA, context.UNSIGNED_BYTE, new Uint8Array(4));
      return performance.now() - start;
    },
    memory: () => ({ geometries: renderer.info.memory.geometries, textures: renderer.info.memory.textures }),
    dispose() {
      [...kept.keys()].forEach(drop);
      for (const plane of planes) plane.dispose();
      lines.dispose();
      renderer.dispose();
      renderer.forceContextLoss();
    },
  };
}

/** How far towards the viewer the farthest and the nearest point of a surface lie. */
function reach(mesh: Surface, back: Vector3): [number, number] {
  const p = mesh.geometry.getAttribute("position").array;
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < p.length; i += 3) {
    const along = p[i]! * back.x + p[i + 1]! * back.y + p[i + 2]! * back.z;
    if (along < low) low = along;
    if (along > high) high = along;
  }
  const middle = mesh.position.dot(back);
  return [high + middle, low + middle];
}

const material = (): MeshPhongMaterial => new MeshPhongMaterial({ specular: 0x2a2a2a, shininess: 26 });

/** A key light over the viewer's shoulder, a weak one from the other side, and what is never quite dark. */
function light(stage: Stage, view: Orbit): void {
  const key = new DirectionalLight(0xffffff, 2.5);
  key.position.set(-0.5, 0.7, 1);
  const fill = new DirectionalLight(0xbcd2ff, 0.7);
  fill.position.set(0.9, -0.35, 0.5);
  view.camera.add(key, fill, key.target, fill.target);
  stage.add(view.camera, new AmbientLight(0xffffff, 0.5));
}

const centreOf = (data: SurfaceData): Triple =>
  [0, 1, 2].map((axis) => data.origin[axis]! + data.step[axis]! * 32767.5) as unknown as Triple;

/** Positions around the middle of the surface, so that surfaces can be sorted by their distance. */
function geometryOf(data: SurfaceData): BufferGeometry {
  const places = new Float32Array(data.codes.length);
  for (let i = 0; i < places.length; i++) places[i] = (data.codes[i]! - 32767.5) * data.step[i % 3]!;
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(places, 3));
  geometry.setAttribute("normal", new BufferAttribute(normalsOf(places, data.triangles), 3));
  geometry.setIndex(new BufferAttribute(data.triangles, 1));
  geometry.computeBoundingSphere();
  return geometry;
}

/** Normals weighted by the angle at each corner: large triangles of a cut do not drag their rim along. */
function normalsOf(p: Float32Array, triangles: Uint16Array | Uint32Array): Float32Array {
  const out = new Float32Array(p.length);
  const [e, n] = [new Float64Array(9), new Float64Array(3)];
  for (let t = 0; t < triangles.length; t += 3) {
    for (let k = 0; k < 3; k++) {
      const [from, to] = [3 * triangles[t + k]!, 3 * triangles[t + ((k + 1) % 3)]!];
      const [x, y, z] = [p[to]! - p[from]!, p[to + 1]! - p[from + 1]!, p[to + 2]! - p[from + 2]!];
      const length = Math.hypot(x, y, z) || 1;
      e[3 * k] = x / length;
      e[3 * k + 1] = y / length;
      e[3 * k + 2] = z / length;
    }
    n[0] = e[1]! * e[5]! - e[2]! * e[4]!;
    n[1] = e[2]! * e[3]! - e[0]! * e[5]!;
    n[2] = e[0]! * e[4]! - e[1]! * e[3]!;
    const length = Math.hypot(n[0], n[1]!, n[2]!) || 1;
    for (let k = 0; k < 3; k++) {
      const before = 3 * ((k + 2) % 3);
      const cosine = -(e[3 * k]! * e[before]! + e[3 * k + 1]! * e[before + 1]! + e[3 * k + 2]! * e[before + 2]!);
      const weight = Math.acos(Math.min(1, Math.max(-1, cosine))) / length;
      const at = 3 * triangles[t + k]!;
      for (let c = 0; c < 3; c++) out[at + c] = out[at + c]! + n[c]! * weight;
    }
  }
  for (let i = 0; i < out.length; i += 3) {
    const length = Math.hypot(out[i]!, out[i + 1]!, out[i + 2]!) || 1;
    for (let c = 0; c < 3; c++) out[i + c] = out[i + c]! / length;
  }
  return out;
}

interface SlicePlane {
  mesh: Mesh;
  set(slice: Slice | null): void;
  dispose(): void;
}

function slicePlane(): SlicePlane {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(12), 3));
  // Row 0 of the pixels is the low end.
  geometry.setAttribute("uv", new BufferAttribute(new Float32Array(8), 2));
  geometry.setIndex([0, 1, 2, 0, 2, 3]);
  const look = new MeshBasicMaterial({ side: DoubleSide });
  const mesh = new Mesh(geometry, look);
  mesh.visible = false;
  let texture: CanvasTexture | null = null;
  let shown = "";
  const drop = (): void => {
    texture?.dispose();
    texture = null;
    shown = "";
  };
  return {
    mesh,
    set(slice) {
      mesh.visible = slice !== null;
      if (!slice) return drop();
      (geometry.getAttribute("position") as BufferAttribute).copyArray(slice.corners.flat()).needsUpdate = true;
      const { across, up } = slice;
      (geometry.getAttribute("uv") as BufferAttribute).copyArray([0, 0, across, 0, across, up, 0, up]).needsUpdate = true;
      geometry.computeBoundingSphere();
      geometry.computeBoundingBox();
      const image = texture?.image as HTMLCanvasElement | undefined;
      if (slice.key && slice.key === shown && image === slice.pixels) return;
      if (!texture || image !== slice.pixels || texture.userData["size"] !== `${image.width}x${image.height}`) {
        drop();
        texture = new CanvasTexture(slice.pixels);
        texture.userData["size"] = `${slice.pixels.width}x${slice.pixels.height}`;
        texture.colorSpace = SRGBColorSpace;
        texture.flipY = false;
        texture.generateMipmaps = false;
        texture.minFilter = LinearFilter;
        look.map = texture;
        look.needsUpdate = true;
      }
      texture.needsUpdate = true;
      shown = slice.key;
    },
    dispose() {
      drop();
      geometry.dispose();
      look.dispose();
    },
  };
}

/** Three lines: clear where nothing is before them, faint behind surfaces. */
function crosshair(): { all: LineSegments[]; set(ends: readonly Triple[] | null): void; dispose(): void } {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(18), 3));
  const clear = new LineBasicMaterial({ color: CROSS });
  const faint = new LineBasicMaterial({ color: CROSS, transparent: true, opacity: 0.3, depthTest: false });
  const all = [new LineSegments(geometry, clear), new LineSegments(geometry, faint)];
  all[1]!.renderOrder = 1e6; // over all that is transparent
  for (const line of all) {
    line.visible = false;
    line.frustumCulled = false;
  }
  return {
    all,
    set(ends) {
      for (const line of all) line.visible = ends !== null;
      if (ends) (geometry.getAttribute("position") as BufferAttribute).copyArray(ends.flat()).needsUpdate = true;
    },
    dispose() {
      geometry.dispose();
      clear.dispose();
      faint.dispose();
    },
  };
}
