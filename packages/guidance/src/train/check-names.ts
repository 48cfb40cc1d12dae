/** Names of a configuration, which are known to be right before data are read or a device is opened. */
import { transforms } from "../data/images/transforms.ts";
import { datasets } from "../data/registry.ts";
import { similarities } from "../method/similarity.ts";
import { guides, students } from "../models/registry.ts";
import type { TrainConfig } from "./config.ts";

/** Throws ValueError, with the nearest name, where a configuration names what is not registered. */
export function checkNames({ dataset, images, student, guide, similarity }: TrainConfig): void {
  datasets.get(dataset);
  for (const transform of [images.trainTransform, images.transform]) transforms.get(transform);
  students.get(student.name);
  guides.get(guide.name);
  similarities.get(similarity);
}
