/** Viridis, a colour map whose equal steps look equal, also in grey and to the colour blind. */

/**
 * Red, green and blue as polynomials of degree 6, the constant first: Matt Zucker's fit of matplotlib's table, CC0
 * (https://www.shadertoy.com/view/WlfXRN).
 */
const coefficients = [
  [0.2777273272, 0.1050930431, -0.3308618287, -4.634230499, 6.2282699363, 4.7763849977, -5.4354558559],
  [0.0054073445, 1.4046135299, 0.2148475595, -5.799100973, 14.1799333668, -13.7451453777, 4.6458526122],
  [0.3340998053, 1.3845901626, 0.095095163, -19.3324409563, 56.6905526007, -65.3530326334, 26.3124352496],
] as const;

export type Colour = readonly [red: number, green: number, blue: number];

/** The colour of `part`, from 0 to 1: red, green and blue from 0 to 255. What lies outside has the nearest end's. */
export function viridis(part: number): Colour {
  const x = Math.min(1, Math.max(0, part));
  const [red, green, blue] = coefficients.map((own) => {
    const value = own.reduceRight((sum, coefficient) => sum * x + coefficient, 0);
    return Math.round(255 * Math.min(1, Math.max(0, value)));
  });
  return [red, green, blue];
}

/** Whether black is read more easily on the colour than white: relative luminance of WCAG above 0.18. */
export function isLight(colour: Colour): boolean {
  const [red, green, blue] = colour.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18;
}
