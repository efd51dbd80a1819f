//! Whose machines a Karpenter pool launches: one provider's, never another's.

use prices::{Platform, provider_of_key};

use crate::manifest::KarpenterPool;

/// A provider and who runs its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// As in the machine table; empty if only the scenario's own instance types are known.
    pub provider: String,
    /// Whose labels nodes carry.
    pub platform: Platform,
}

/// API groups and kinds of node classes.
const NODE_CLASSES: [(&str, &str, &str, Platform); 4] = [
    ("karpenter.k8s.aws", "EC2NodeClass", "aws", Platform::KarpenterAws),
    ("eks.amazonaws.com", "NodeClass", "aws", Platform::EksAuto),
    ("karpenter.azure.com", "AKSNodeClass", "azure", Platform::KarpenterAzure),
    ("karpenter.k8s.gcp", "GCENodeClass", "gcp", Platform::KarpenterGcp),
];

impl Cloud {
    /// Whose machines the pool's manifest asks for: by its node class, else by the keys of its requirements; `None` without a sign.
    pub fn of(pool: &KarpenterPool) -> Result<Option<Self>, String> {
        let cloud = |(_, _, provider, platform): &(_, _, &str, Platform)| Self {
            provider: (*provider).to_owned(),
            platform: *platform,
        };
        if let Some(class) = &pool.node_class {
            let group =
                if class.group.is_empty() { class.api_version.split('/').next().unwrap_or("") } else { &class.group };
            if let Some(known) = NODE_CLASSES.iter().find(|known| known.0 == group) {
                return Ok(Some(cloud(known)));
            }
            if !group.is_empty() {
                let groups: Vec<&str> = NODE_CLASSES.iter().map(|known| known.0).collect();
                let nearest = names::nearest(group, groups.iter().copied());
                let hint = nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
                return Err(format!(
                    "nodeClassRef: machines of API group `{group}` are not known{hint} (known: {})",
                    groups.join(", ")
                ));
            }
            let kind = if class.kind == "AWSNodeTemplate" { "EC2NodeClass" } else { class.kind.as_str() };
            if let Some(known) = NODE_CLASSES.iter().find(|known| known.1 == kind) {
                return Ok(Some(cloud(known)));
            }
        }
        let mut keys =
            pool.requirements.iter().map(|rule| rule.key.as_str()).chain(pool.labels.keys().map(String::as_str));
        let found = keys.find_map(|key| Some((key, provider_of_key(key)?)));
        Ok(found.map(|(key, provider)| {
            let own = NODE_CLASSES.iter().find(|known| key.split('/').next() == Some(known.0));
            let platform = own.map_or(Platform::Any, |known| known.3);
            Self { provider: provider.to_owned(), platform }
        }))
    }

    /// A provider without a word about who runs its nodes.
    pub fn any(provider: &str) -> Self {
        Self { provider: provider.to_owned(), platform: Platform::Any }
    }

    /// The key that this platform has for what `key` says on another of the same provider.
    pub fn equivalent(&self, key: &str) -> Option<String> {
        let (here, there) = match self.platform {
            Platform::KarpenterAws => ("karpenter.k8s.aws/", "eks.amazonaws.com/"),
            Platform::EksAuto => ("eks.amazonaws.com/", "karpenter.k8s.aws/"),
            _ => return None,
        };
        let name = key.strip_prefix(there)?;
        Some(format!("{here}{name}"))
    }

    /// The region a zone of this provider is in, by its name.
    pub fn region_of_zone<'a>(&self, zone: &'a str) -> Option<&'a str> {
        match self.provider.as_str() {
            "aws" => {
                let region = zone.strip_suffix(|letter: char| letter.is_ascii_lowercase())?;
                (region.ends_with(|digit: char| digit.is_ascii_digit()) && region.contains('-')).then_some(region)
            }
            "gcp" | "azure" => zone.rsplit_once('-').map(|(region, _)| region),
            _ => None,
        }
    }
}
