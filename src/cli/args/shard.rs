//! Flags of work that is divided among devices and machines, and of joining its results.

use std::path::PathBuf;

use clap::Args;

use dm_wgpu::data::Shard;

use super::help;
use crate::cli::values;

/// Which shard to do.
#[derive(Debug, Args)]
pub struct ShardArgs {
    /// Do only the Kth of N shards, K from 1: of a run, neighbouring classes with an Nth of the images; of evaluate, an Nth
    /// of the networks. auto: take K, and N if it is known, from the variables of Slurm or Kubernetes.
    #[arg(long, value_name = "K/N", help_heading = "Task", value_parser = asked)]
    pub shard: Option<ShardAsked>,
    /// Number of shards, for --shard auto.
    #[arg(
        long, value_name = "N", help_heading = "Task", requires = "shard",
        value_parser = values::count::<u32>(1_000_000)
    )]
    pub shards: Option<u32>,
}

/// What `--shard` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardAsked {
    These(Shard),
    Auto,
}

fn asked(text: &str) -> Result<ShardAsked, String> {
    match text {
        "auto" => Ok(ShardAsked::Auto),
        text => text.parse().map(ShardAsked::These).map_err(values::in_own_words),
    }
}

/// Of a Slurm job array: which task this is, and which there are.
const TASK: &str = "SLURM_ARRAY_TASK_ID";
const TASKS: [&str; 3] = ["SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX"];
/// Of an Indexed Job of Kubernetes.
const INDEX: &str = "JOB_COMPLETION_INDEX";

impl ShardArgs {
    /// The shard, if one was asked for.
    pub fn chosen(&self) -> Result<Option<Shard>, String> {
        self.chosen_by(|name| std::env::var(name).ok())
    }

    fn chosen_by(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Shard>, String> {
        let number = |name: &str| match variable(name) {
            None => Ok(None),
            Some(text) => text
                .parse::<u32>()
                .map(Some)
                .map_err(|_| format!("--shard auto: {name} is {text:?}, a number is needed")),
        };
        let of = |number, of| Shard::new(number, of).map(Some).map_err(|error| error.to_string());
        match (self.shard, self.shards) {
            (None, _) => Ok(None),
            (Some(ShardAsked::These(_)), Some(_)) => {
                Err("--shards is for --shard auto; K/N has the number of shards already".into())
            }
            (Some(ShardAsked::These(shard)), None) => Ok(Some(shard)),
            (Some(ShardAsked::Auto), shards) => {
                if let Some(task) = number(TASK)? {
                    let [count, first, last] = TASKS.map(&number);
                    // An array of a few tasks only, to repeat those, does not say how many shards there are.
                    let whole = (count?, first?, last?);
                    let shards = shards.or(match whole {
                        (Some(count), Some(1), Some(last)) if count == last => Some(count),
                        _ => None,
                    });
                    let shards = shards.ok_or_else(|| {
                        format!("--shard auto: the tasks of the array are not numbered 1 to N; add --shards N ({TASK} is {task})")
                    })?;
                    return of(task, shards).map_err(|_| {
                        format!("--shard auto: {TASK} is {task}, 1 to {shards} is needed: --array=1-{shards}")
                    });
                }
                let Some(index) = number(INDEX)? else {
                    return Err(format!(
                        "--shard auto: neither {TASK} nor {INDEX} is set; give --shard K/N"
                    ));
                };
                let shards = shards.ok_or_else(|| {
                    format!(
                        "--shard auto: {INDEX} does not give the number of shards; add --shards N"
                    )
                })?;
                of(index.saturating_add(1), shards).map_err(|_| {
                    format!("--shard auto: {INDEX} is {index}, 0 to {} is needed", shards - 1)
                })
            }
        }
    }
}

/// `dm-wgpu join`.
#[derive(Debug, Args)]
#[command(
    after_help = help::JOIN,
    override_usage = "dm-wgpu join <OUT> <SHARD>... [OPTIONS]"
)]
pub struct JoinArgs {
    /// Folder for the joined run, new or empty; or file for the joined accuracies.
    pub out: PathBuf,
    /// The folders of all shards of a run; or the files of all shards of an evaluation.
    #[arg(value_name = "SHARD", required = true)]
    pub shards: Vec<PathBuf>,
    /// Then measure the accuracy, with the settings that the shards were given.
    #[arg(long, help_heading = "Task")]
    pub evaluate: bool,
    /// Print JSON, one object per line: events as they happen, then the result; with --quiet only the result.
    #[arg(long, help_heading = "Machine")]
    pub json: bool,
    /// Print only errors.
    #[arg(long, short, help_heading = "Machine")]
    pub quiet: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(
        shard: &str,
        shards: Option<u32>,
        variables: &[(&str, &str)],
    ) -> Result<String, String> {
        let args = ShardArgs { shard: Some(asked(shard)?), shards };
        let variable = |name: &str| {
            let found = variables.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        args.chosen_by(variable).map(|shard| shard.map(|s| s.to_string()).unwrap_or_default())
    }

    #[test]
    fn engines_say_which_shard_it_is() {
        assert_eq!(chosen("2/3", None, &[]).unwrap(), "2/3");
        let array = |task, count, first, last| {
            [(TASK, task), (TASKS[0], count), (TASKS[1], first), (TASKS[2], last)]
        };
        assert_eq!(chosen("auto", None, &array("2", "4", "1", "4")).unwrap(), "2/4");
        assert_eq!(chosen("auto", Some(2), &[(INDEX, "1")]).unwrap(), "2/2");
        // One task again, which alone is in its array.
        let again = array("3", "1", "3", "3");
        assert_eq!(chosen("auto", Some(4), &again).unwrap(), "3/4");
        for (shard, shards, variables, why) in [
            ("0/3", None, &[][..], "K from 1 to N"),
            ("2/3", Some(3), &[], "--shards is for --shard auto"),
            ("auto", None, &[], "neither"),
            ("auto", Some(3), &[(INDEX, "x")], "a number is needed"),
            ("auto", Some(3), &[(INDEX, "3")], "0 to 2 is needed"),
            ("auto", None, &[(INDEX, "1")], "add --shards N"),
            ("auto", None, &again, "add --shards N"),
            ("auto", None, &array("0", "4", "0", "3"), "add --shards N"),
            ("auto", Some(4), &array("0", "4", "0", "3"), "--array=1-4"),
        ] {
            let error = chosen(shard, shards, variables).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
