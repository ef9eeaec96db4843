import { TreeBuilder, type TreeFile } from '../../src/git/build-tree.ts';
import { emptyTree, type ObjectId } from '../../src/git/object-id.ts';
import type { PackedObject } from '../../src/git/packed-object.ts';

/** The root's id, and every tree once. */
export function buildTree(files: Iterable<TreeFile>): { id: ObjectId; trees: PackedObject[] } {
  const builder = new TreeBuilder();
  for (const file of files) builder.add(file);
  const trees = new Map(Array.from(builder.trees(), tree => [tree.id, tree]));
  return { id: [...builder.trees()].at(-1)?.id ?? emptyTree, trees: [...trees.values()] };
}
