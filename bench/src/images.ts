/**
 * How fast photographs become batches: 500 x 375 JPEGs through decoding, RandomResizedCrop(224) and flip.
 *
 *   cd bench && npx tsx src/images.ts [threads] [images]
 *
 * Prints images per second of wall time and per second of CPU time of the whole process, reading and copying included.
 */

import { cpus } from "node:os";
import { decodedSource, type EncodedImages, trainingTransform } from "@guidance/guidance";
import sharp from "sharp";

const [threads = 1, count = 2000] = process.argv.slice(2).map(Number);
const [width, height] = [500, 375];
const DIFFERENT = 32;

/** JPEGs of about the bytes that ImageNet's have at this size: shapes of all scales, and a little grain. */
async function makeJpegs(): Promise<Uint8Array[]> {
  return Promise.all(
    Array.from({ length: DIFFERENT }, (_, image) => {
      const data = new Uint8Array(width * height * 3);
      let noise = image + 1;
      for (let at = 0; at < data.length; at++) {
        const [c, x, y] = [at % 3, Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
        let value = 128;
        for (let scale = 1; scale <= 6; scale++) {
          const angle = image + scale * 2.4 + c * 0.3;
          value +=
            (60 / scale) * Math.sin((x * Math.cos(angle) + y * Math.sin(angle)) * 0.012 * 2 ** scale + image * scale);
        }
        noise = (Math.imul(noise, 1664525) + 1013904223) >>> 0;
        data[at] = Math.min(Math.max(value + (noise >>> 28) - 8, 0), 255);
      }
      return sharp(data, { raw: { width, height, channels: 3 } })
        .jpeg({ quality: 88 })
        .toBuffer();
    }),
  );
}

const jpegs = await makeJpegs();
const images: EncodedImages = {
  name: "bench",
  count,
  classNames: ["image"],
  label: () => 0,
  read: async (index) => ({ bytes: jpegs[index % DIFFERENT], path: `${index}.jpg` }),
  close: async () => {},
};
const source = await decodedSource(images, { transform: trainingTransform(), workers: threads });
const bytes = Math.round(jpegs.reduce((sum, jpeg) => sum + jpeg.length, 0) / DIFFERENT / 1000);
console.log(
  `${width} x ${height} JPEGs of ${bytes} kB, ${threads} threads, ${cpus()[0]?.model}, Node ${process.version}`,
);
for (let epoch = 0; epoch < 3; epoch++) {
  // The first epoch starts the threads and warms their code; it is not counted.
  const cpu = process.cpuUsage();
  const start = performance.now();
  let seen = 0;
  for await (const batch of source.batches({ batchSize: 50, lastBatch: "drop", shuffle: true, epoch }))
    seen += batch.count;
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const perCpu = seen / ((user + system) / 1e6);
  if (epoch > 0) console.log(`${Math.round(seen / seconds)} images/s, ${Math.round(perCpu)} images/CPU-s`);
}
await source.close();
