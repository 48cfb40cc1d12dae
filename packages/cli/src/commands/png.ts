import sharp from "sharp";

/** Pixels for each unit of the drawing. */
const SCALE = 2;
/** Units an inch that sharp draws at unless told. */
const DENSITY = 72;

/** A figure as a PNG, on white: viewers show what is transparent on anything. */
export function svgToPng(svg: string): Promise<Buffer> {
  return sharp(Buffer.from(svg), { density: SCALE * DENSITY })
    .flatten({ background: "#fff" })
    .png()
    .toBuffer();
}
