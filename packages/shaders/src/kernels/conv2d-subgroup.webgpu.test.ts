import { openForTests, testConvolutions } from "./conv2d-cases.test.support.ts";

openForTests();
testConvolutions("subgroup", ["conv2d", "conv2dWeightGrad"]);
