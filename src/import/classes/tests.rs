//! What people call their sub-folders.

use super::*;
use crate::{DatasetInfo, data::KNOWN};

fn dataset(name: &str, classes: &[&str]) -> Dataset {
    let info = DatasetInfo {
        name: name.into(),
        class_names: classes.iter().map(|name| (*name).into()).collect(),
        channels: 1,
        size: 2,
        mean: vec![0.5],
        std: vec![0.25],
    };
    let n = classes.len();
    Dataset::new(info, (vec![0; n * 4], (0..n as u32).collect()), (vec![], vec![])).unwrap()
}

fn digits() -> Dataset {
    dataset("mnist", &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])
}

const CLOTHES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// A hundred classes that no number names.
fn hundred() -> Dataset {
    assert!(KNOWN.iter().any(|known| known.classes == 100));
    let names: Vec<_> = (0..100).map(|class| format!("{}x", (b'a' + class / 10) as char)).collect();
    let names: Vec<_> =
        names.iter().zip(0..).map(|(name, k)| format!("{name}{}", k % 10)).collect();
    dataset("cifar100", &names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    names
}

/// Labels by folder, whatever is said about them.
fn of(names: &[&str], dataset: &Dataset) -> Vec<usize> {
    labels(&sorted(names.iter().copied()), dataset).unwrap().0
}

fn refused(names: &[&str], dataset: &Dataset) -> String {
    labels(&sorted(names.iter().copied()), dataset).unwrap_err()
}

#[test]
fn names_go_by_name_however_they_are_written() {
    let clothes = dataset("fashion-mnist", &CLOTHES);
    let all = sorted(CLOTHES);
    let expected: Vec<_> =
        all.iter().map(|name| CLOTHES.iter().position(|class| class == name).unwrap()).collect();
    assert_eq!(labels(&all, &clothes).unwrap(), (expected, None));
    // As this crate writes them in runs and exports, in another case, and only some of them.
    assert_eq!(of(&["Ankle_boot", "T-shirt_top"], &clothes), [9, 0]);
    assert_eq!(of(&["0-T-shirt_top", "8-Bag"], &clothes), [0, 8]);
    assert_eq!(of(&["SHIRT", "ankle boot"], &clothes), [6, 9]);
    let birds = dataset("birds", &["čáp", "sova", "Sova"]);
    assert_eq!(of(&["c\u{30c}a\u{301}p"], &birds), [0]);
    // Two classes differ in case alone: there is no telling which a third one is.
    assert!(refused(&["SOVA", "čáp"], &birds).contains("SOVA (the nearest is sova)"));
}

#[test]
fn numbers_are_labels() {
    let hundred = hundred();
    let numbers: Vec<_> = (0..100).map(|class| class.to_string()).collect();
    let folders = sorted(numbers.iter().map(String::as_str));
    let expected: Vec<usize> = folders.iter().map(|name| name.parse().unwrap()).collect();
    assert_eq!(labels(&folders, &hundred).unwrap(), (expected, None));
    assert_eq!(of(&["003-x", "42_y", "7 - z"], &hundred), [3, 42, 7]);
    let clothes = dataset("fashion-mnist", &CLOTHES);
    assert_eq!(of(&["00-top", "01-Trouser", "02-sweater"], &clothes), [0, 1, 2]);
    assert_eq!(of(&["00", "01", "9"], &digits()), [0, 1, 9]);
    let ten: Vec<_> = (1..=10).map(|class| class.to_string()).collect();
    let message = refused(&ten.iter().map(String::as_str).collect::<Vec<_>>(), &clothes);
    assert!(message.contains("0 to 9; these seem to be counted from 1"), "{message}");
    let message = refused(&["0", "100"], &hundred);
    assert!(message.contains("up to 100") && !message.contains("from 1"), "{message}");
}

#[test]
fn a_number_and_a_name_have_to_agree() {
    let clothes = dataset("fashion-mnist", &CLOTHES);
    let message = refused(&["3-Bag"], &clothes);
    assert!(message.contains("3-Bag has 3") && message.contains("Bag is class 8"), "{message}");
    // 1 is the name of class 0, and the label of class 1.
    let shifted = dataset("shifted", &["1", "2", "3"]);
    assert_eq!(of(&["1", "2", "3"], &shifted), [0, 1, 2]);
    assert!(refused(&["0", "1"], &shifted).contains("1 is a name, of class 0"));
}

#[test]
fn a_name_that_is_none_among_others_is_refused() {
    let clothes = dataset("fashion-mnist", &CLOTHES);
    let misspelt: Vec<_> =
        CLOTHES.iter().map(|name| if *name == "Trouser" { "Trousres" } else { name }).collect();
    let message = refused(&misspelt, &clothes);
    assert!(message.contains("1 of its 10 sub-folders is no class of fashion-mnist"), "{message}");
    assert!(message.contains("Trousres (the nearest is Trouser)"), "{message}");
    let message = refused(&["0", "1", "x\u{1b}", "y"], &digits());
    assert!(message.contains("2 of its 4 sub-folders are no class"), "{message}");
    assert!(message.contains(r"x\u{1b} (the nearest is "), "{message}");
    let message = refused(&["Bag", "bag"], &clothes);
    assert!(message.contains("Bag and bag are both class Bag (8)"), "{message}");
}

#[test]
fn digits_may_be_spelt_out() {
    let folders = sorted(DIGITS);
    let (found, note) = labels(&folders, &digits()).unwrap();
    assert_eq!(found, [8, 5, 4, 9, 1, 7, 6, 3, 2, 0]);
    assert!(note.unwrap().contains("taken for digits: eight → 8, five → 5"));
    assert_eq!(of(&["0 - zero", "1 - one"], &digits()), [0, 1]);
    assert!(refused(&["3 - seven"], &digits()).contains("seven is class 7"));
    // Where classes have names, such words are none of them.
    let clothes = dataset("fashion-mnist", &CLOTHES);
    assert!(labels(&folders, &clothes).unwrap().1.unwrap().contains("eight → T-shirt/top (0)"));
}

#[test]
fn the_order_counts_where_no_name_means_anything_and_is_told() {
    let animals = dataset("animals", &["kocka", "pes", "ryba"]);
    let (found, note) = labels(&["a", "b", "c"], &animals).unwrap();
    assert_eq!(found, [0, 1, 2]);
    let note = note.unwrap();
    assert!(note.contains("sorted order: a → kocka (0), b → pes (1), c → ryba (2)"), "{note}");
    assert!(refused(&["a", "b"], &animals).contains("not one for each of its 3 classes"));
    // `class10` is the second as text, the last as a number.
    let message = refused(&["class1", "class2", "class10"], &animals);
    assert!(message.contains("class10 comes before class2 as text"), "{message}");
    assert_eq!(of(&["class01", "class02", "class10"], &animals), [0, 1, 2]);
}
