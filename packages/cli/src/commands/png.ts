/** Pixels for each unit of the drawing. */
const SCALE = 2;
/** Units an inch that sharp draws at unless told. */
const DENSITY = 72;

/** A figure as a PNG, on white: viewers show what is transparent on anything. */
export async function svgToPng(svg: string): Promise<Buffer> {
  const { default: sharp } = await import("sharp"); // a library that takes long to load
  return sharp(Buffer.from(svg), { density: SCALE * DENSITY })
    .flatten({ background: "#fff" })
    .png()
    .toBuffer();
}
