/** Several SVGs as one, below each other. */

/** Of what the figures here begin with: `<svg xmlns="..." width="560" height="320" ...`. */
const HEAD = /^<svg xmlns="[^"]*" width="(\d+)" height="(\d+)"/;

const GAP = 12;

export function stackSvg(svgs: readonly string[]): string {
  if (svgs.length === 1) return svgs[0];
  let [width, height] = [0, 0];
  const placed = svgs.map((svg) => {
    const [, own, tall] = HEAD.exec(svg) ?? [];
    const inner = svg.replace("<svg ", `<svg y="${height}" `);
    width = Math.max(width, Number(own));
    height += Number(tall) + GAP;
    return inner;
  });
  const size = `width="${width}" height="${height - GAP}" viewBox="0 0 ${width} ${height - GAP}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n${placed.join("")}</svg>\n`;
}
