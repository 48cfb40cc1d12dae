/** What figures are drawn of. */
import type { ArmHistory, RunHistory, TrainConfig } from "@guidance/guidance";

export interface FigureRun {
  /** In legends. */
  readonly name: string;
  readonly config: TrainConfig;
  readonly history: RunHistory;
}

/** The students of a run; what its guide was trained with is another task. */
export const studentsOf = ({ history }: FigureRun): ArmHistory[] => history.arms.filter(({ arm }) => arm !== "guide");
