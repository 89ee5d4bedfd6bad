//! Certificates: renewed when their files hold others, and until when they are good.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::time::sleep;

use super::build::Parts;
use crate::admin::status::CertificateStatus;
use crate::clock::Millis;
use crate::files::Files;
use crate::tls::{Renewable, Renewals};

/// What is set when the page of metrics is made.
#[derive(Debug, Default)]
pub(super) struct CertificateGauges {
    expiries: Family<Certificate, Gauge>,
    unusable: Family<Section, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Certificate {
    section: String,
    /// `shown` or `believed`.
    role: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Section {
    section: String,
}

impl CertificateGauges {
    /// Has `registry` show them.
    pub(super) fn register(&self, registry: &mut Registry) {
        let help =
            "When the first certificate expires that is shown, and the last authority that is believed";
        registry.register("larder_certificate_expiry_timestamp_seconds", help, self.expiries.clone());
        let help = "Whether the files of certificates hold what cannot be used, and what they held before is";
        registry.register("larder_certificate_unusable", help, self.unusable.clone());
    }

    /// Sets them to what is.
    pub(super) fn read(&self, parts: &Parts) {
        // What a reload took away must not be left behind.
        self.expiries.clear();
        self.unusable.clear();
        for (section, end) in parts.encrypted() {
            for expiry in end.expiries() {
                let labels = Certificate { section: section.clone(), role: expiry.role.as_str() };
                let at = i64::try_from(expiry.at.0 / 1_000).unwrap_or(i64::MAX);
                self.expiries.get_or_create(&labels).set(at);
            }
            self.unusable.get_or_create(&Section { section }).set(end.refused().is_some().into());
        }
    }
}

impl Parts {
    /// Has whatever speaks TLS by the configuration in force renewed, again and again.
    pub(super) async fn renew_certificates(&self, files: Arc<dyn Files>) {
        let mut renewals = Renewals::new(files);
        loop {
            sleep(LOOKED_AT_EACH).await;
            renewals.look(self.encrypted()).await;
        }
    }

    /// Whatever speaks TLS by the configuration in force, by the sections that name its files.
    fn encrypted(&self) -> Vec<(String, Arc<dyn Renewable>)> {
        self.rudder.lock().config.encrypted()
    }

    /// How they stand.
    pub(super) fn certificate_statuses(&self, now: Millis) -> Vec<CertificateStatus> {
        let of_end = |(section, end): (String, Arc<dyn Renewable>)| {
            let refused = end.refused();
            end.expiries().into_iter().map(move |expiry| CertificateStatus {
                section: section.clone(),
                role: expiry.role.as_str().to_owned(),
                file: expiry.path.display().to_string(),
                seconds_left: expiry.left(now),
                unusable: refused.as_ref().map(|why| why.to_string()),
            })
        };
        self.encrypted().into_iter().flat_map(of_end).collect()
    }
}

/// How often their files are read: as those of endpoints are.
const LOOKED_AT_EACH: Duration = Duration::from_secs(1);
