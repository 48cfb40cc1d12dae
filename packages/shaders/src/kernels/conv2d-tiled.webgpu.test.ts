import { openForTests, testTiledConvolutions } from "./conv2d-cases.test.support.ts";

openForTests();
testTiledConvolutions();
