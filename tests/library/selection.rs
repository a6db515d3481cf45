//! Real images, chosen by each of the methods.

use dm_wgpu::{Selection, SelectionSettings, Selector};

use crate::{common::gpu, glyphs};

#[test]
fn a_selection_depends_on_seed_and_method_not_on_memory() {
    let dataset = glyphs();
    let chosen = |selection, seed, budget| {
        let gpu = gpu().clone().with_memory_budget(budget);
        let settings =
            SelectionSettings::for_dataset(&dataset, selection).ipc(3).width(8).seed(seed);
        let mut selection = Selection::new(&gpu, dataset.clone(), settings).unwrap();
        let set = selection.set_blocking().unwrap();
        assert_eq!(set.labels.len(), 3 * dataset.classes());
        for (class, chosen) in selection.chosen().iter().enumerate() {
            assert!(chosen.iter().all(|i| dataset.train().of_class(class).contains(i)));
            assert_eq!(chosen.len(), 3);
        }
        selection.chosen().to_vec()
    };
    let all = Selector::ALL.map(|selector| chosen(selector, 0, 512 << 20));
    assert_eq!(all[1], chosen(Selector::Herding, 0, 1 << 20));
    assert_eq!(all[2], chosen(Selector::KCenter, 0, 1 << 20));
    assert_ne!(all[1], chosen(Selector::Herding, 1, 512 << 20));
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
}
