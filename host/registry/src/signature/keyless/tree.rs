//! Trees of hashes as transparency logs have them (RFC 9162, 2.1).

use crate::digest::Digester;

type Hash = [u8; 32];

/// The hash of an entry.
pub(super) fn leaf(entry: &[u8]) -> Hash {
    hash(&[&[0], entry])
}

/// The root of a tree of some size, in which a leaf has an index, and beside the way to which there are these hashes.
pub(super) fn root(leaf: Hash, index: u64, size: u64, beside: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut above = leaf;
    for other in beside {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            above = hash(&[&[1], other, &above]);
            // A node on the right edge without a sibling is its parent as well.
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            above = hash(&[&[1], &above, other]);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some(above)
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut digester = Digester::new();
    parts.iter().for_each(|part| digester.add(part));
    *digester.end().bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The root of some leaves and the way to one of them, by the definition.
    fn tree(leaves: &[Hash], index: usize) -> (Hash, Vec<Hash>) {
        if leaves.len() == 1 {
            return (leaves[0], Vec::new());
        }
        let split = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(split);
        let (own, other, at) = if index < split { (left, right, index) } else { (right, left, index - split) };
        let (_, mut way) = tree(own, at);
        way.push(tree(other, 0).0);
        (hash(&[&[1], &tree(left, 0).0, &tree(right, 0).0]), way)
    }

    #[test]
    fn each_leaf_of_each_tree_leads_to_its_root_and_nothing_else_does() {
        let leaves: Vec<Hash> = (0..40_u8).map(|entry| leaf(&[entry])).collect();
        for size in 1..=leaves.len() {
            for index in 0..size {
                let (top, way) = tree(&leaves[..size], index);
                let found = |leaf: Hash, index: usize, way: &[Hash]| root(leaf, index as u64, size as u64, way);
                assert_eq!(found(leaves[index], index, &way), Some(top), "{index} of {size}");
                assert_ne!(found(leaf(b"other"), index, &way), Some(top));
                assert_ne!(found(leaves[index], index, &[&way[..], &[top]].concat()), Some(top));
                if let Some((_, shorter)) = way.split_last() {
                    assert_eq!(found(leaves[index], index, shorter), None);
                }
                for other in (0..size).filter(|other| *other != index) {
                    assert_ne!(found(leaves[index], other, &way), Some(top), "{other} is not {index} of {size}");
                }
            }
        }
        assert_eq!(root(leaves[0], 1, 1, &[]), None);
        assert_eq!(root(leaves[0], 0, 0, &[]), None);
    }
}
