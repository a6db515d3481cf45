use super::*;
use crate::{
    Architecture, Protocol,
    project::{Machine, MethodSettings, record::tests::sample},
};

/// A setting that has a field and no entry would have no flag, and be missing in the command that repeats a run.
#[test]
fn every_field_of_a_record_has_its_entry() {
    let mut record = sample(0);
    (record.eval_every, record.no_eval, record.no_baseline) = (Some(1), true, true);
    record.data.data_dir = Some("d".into());
    (record.data.resize, record.data.test_fraction) = (Some(8), Some(0.5));
    record.data.classes = "0-2".parse().ok();
    if let Some(MethodSettings::Condensing(settings)) = &mut record.settings {
        settings.net = Architecture::Mlp;
        settings.method = Matching::Dsa;
        settings.factor = 2;
        settings.distance = Some(Distance::Ours);
        (settings.outer, settings.inner, settings.lr_net) = (Some(1), Some(1), Some(0.01));
        settings.dd_init = Some(DdInit::Fixed);
        (settings.dd_steps, settings.dd_epochs) = (Some(1), Some(3));
        (settings.alpha, settings.trajectories) = (Some(1.0), Some(1));
        (settings.expert_epochs, settings.shown) = (Some(1), Some(1));
    }
    record.evaluation.iter_mut().for_each(|settings| {
        (settings.net, settings.protocol) = (Architecture::Mlp, Protocol::Idc);
    });
    let text = || Some("x".to_owned());
    record.machine = Machine {
        adapter: text(),
        backend: text(),
        kernels: text(),
        precision: text(),
        submit_target: Some(1),
        memory_budget: Some(1),
    };
    let record = serde_json::to_value(&record).unwrap();
    for (table, values) in record.as_object().unwrap() {
        match values.as_object() {
            _ if ["version", "adapter"].contains(&table.as_str()) => {}
            None => assert!(Setting::find("", table).is_some(), "{table}"),
            Some(values) => {
                for key in values.keys() {
                    assert!(Setting::find(table, key).is_some(), "{table}.{key}");
                }
            }
        }
    }
    for setting in SETTINGS {
        // A record is what they led to.
        let asked = ["preset", "runs"].contains(&setting.name);
        assert_ne!(setting.value_in(&record).is_some(), asked, "{}", setting.name);
    }
}

#[test]
fn defaults_in_the_help_are_those_of_recipes() {
    for setting in SETTINGS {
        let help = setting.help_text();
        assert!(!help.contains("{}") && !help.contains("[default: ]"), "{help}");
        assert!(!help.contains("[default: ;") && !help.ends_with('.'), "{help}");
    }
    let help = |name| Setting::find("settings", name).unwrap().help_text();
    assert!(help("lr_img").ends_with(
        "on: 10; dc, dsa: 0.1; dd: 0.01, halved ten times in a run; trajectory, for pixels in 0...1: 0.01, 0.1, 0.5 \
         from --ipc 1, 10, 50 on]"
    ));
    assert!(help("init").ends_with("[default: real; dc, dd: noise]"));
}

#[test]
fn values_are_typed_as_short_as_they_can_be() {
    let values = serde_json::json!({"memory_budget": 1u64 << 30, "adapter": "0"});
    let typed: Vec<_> = typed("machine", &values).into_iter().map(|(_, text)| text).collect();
    assert_eq!(typed, ["0", "1GiB"]);
    let lr = Setting::find("settings", "lr_img").unwrap();
    assert_eq!(lr.typed(&serde_json::to_value(0.1f32).unwrap()), "0.1");
    let part = Setting::find("data", "test_fraction").unwrap();
    assert_eq!(part.typed(&0.123_456_789.into()), "0.123456789");
}
