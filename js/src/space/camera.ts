// A camera on a sphere around the patient: turns, zooms and pans, and never rolls.
import { Box3, PerspectiveCamera, Vector3 } from "three";

export type Letter = "A" | "P" | "L" | "R" | "S" | "I";

/** Azimuth and elevation of the six views, in degrees; 0 looks from the front, 90 from the patient's left. */
const VIEWS: Record<Letter, [number, number]> = {
  A: [0, 0], P: [180, 0], L: [90, 0], R: [-90, 0],
  // From above the front is up, as it is from below.
  S: [180, 90], I: [0, -90],
};

/** From the front, a little from above. */
const START: [number, number] = [0, 14];
const FIELD_DEGREES = 26;
const MARGIN = 1.1;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

export interface Orbit {
  camera: PerspectiveCamera;
  /** Right, up and towards the viewer, in RAS+. */
  axes(): [Vector3, Vector3, Vector3];
  /** See all of a box; keeps the direction. */
  fit(box: Box3): void;
  turn(azimuthDegrees: number, elevationDegrees: number): void;
  zoom(factor: number): void;
  /** By a share of the picture's height. */
  pan(x: number, y: number): void;
  /** From a side, or as at the start. */
  look(view: Letter | null): void;
  resize(aspect: number): void;
}

export function orbit(): Orbit {
  const camera = new PerspectiveCamera(FIELD_DEGREES, 1, 1, 1000);
  const target = new Vector3();
  let [azimuth, elevation] = START;
  let radius = 100;
  let seen = new Box3(new Vector3(-50, -50, -50), new Vector3(50, 50, 50));
  let distance = 500;
  let zoomed = 1;
  let moved = false;

  const axes = (): [Vector3, Vector3, Vector3] => {
    const [a, e] = [radians(azimuth), radians(elevation)];
    // Front is +y, the patient's left is -x.
    const around = new Vector3(-Math.sin(a), Math.cos(a), 0);
    const back = around.clone().multiplyScalar(Math.cos(e)).setZ(Math.sin(e));
    const up = around.clone().multiplyScalar(-Math.sin(e)).setZ(Math.cos(e));
    return [new Vector3().crossVectors(up, back), up, back];
  };
  const place = (): void => {
    const [, up, back] = axes();
    camera.up.copy(up);
    const far = distance / zoomed;
    camera.position.copy(target).addScaledVector(back, far);
    camera.near = Math.max(far - 4 * radius, far / 100);
    camera.far = far + 6 * radius;
    camera.lookAt(target);
    camera.updateProjectionMatrix();
    camera.updateMatrixWorld();
  };
  /** Come as near as the corners of the box allow. */
  const refit = (): void => {
    const slope = Math.tan(radians(FIELD_DEGREES / 2));
    const centre = seen.getCenter(new Vector3());
    const half = seen.getSize(new Vector3()).divideScalar(2);
    const [right, up, back] = axes();
    distance = 0;
    for (let corner = 0; corner < 8; corner++) {
      const at = half.clone().multiply(new Vector3(corner & 1 ? 1 : -1, corner & 2 ? 1 : -1, corner & 4 ? 1 : -1));
      const [x, y] = [Math.abs(at.dot(right)) / camera.aspect, Math.abs(at.dot(up))];
      distance = Math.max(distance, (MARGIN * Math.max(x, y)) / slope + at.dot(back));
    }
    radius = Math.max(half.length(), 1);
    if (!moved) target.copy(centre);
    place();
  };
  return {
    camera,
    axes,
    fit(box) {
      seen = box.clone();
      zoomed = 1;
      moved = false;
      refit();
    },
    turn(byAzimuth, byElevation) {
      azimuth = (azimuth + byAzimuth) % 360;
      elevation = Math.min(90, Math.max(-90, elevation + byElevation));
      // By as much the box is seen from another side, where it may be wider.
      if (Math.max(Math.abs(byAzimuth), Math.abs(byElevation)) >= 90) refit();
      else place();
    },
    zoom(factor) {
      zoomed = Math.min(40, Math.max(0.2, zoomed * factor));
      place();
    },
    pan(x, y) {
      const [right, up] = axes();
      moved = true;
      const height = 2 * (distance / zoomed) * Math.tan(radians(FIELD_DEGREES / 2));
      target.addScaledVector(right, -x * height).addScaledVector(up, y * height);
      place();
    },
    look(view) {
      [azimuth, elevation] = view ? VIEWS[view] : START;
      refit();
    },
    resize(aspect) {
      camera.aspect = aspect;
      refit();
    },
  };
}
