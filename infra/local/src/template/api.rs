//! Reads the REST API's own settings and the usage plans.

use std::collections::BTreeMap;

use super::node::Node;
use super::resources::{Resource, Resources, only, required};
use super::store::seconds;
use super::{Api, Authorizer, GatewayResponse, TemplateError, Throttle, UsagePlan};

/// The API's settings with what its routes take over from it.
#[derive(Default)]
pub(super) struct ApiDefaults {
    pub settings: Api,
    /// Whether a route asks the authorizer unless it says otherwise.
    pub authorized: bool,
    /// Whether a route needs an API key unless it says otherwise.
    pub api_key_required: bool,
}

pub(super) fn settings(resources: &Resources) -> Result<ApiDefaults, TemplateError> {
    let mut apis = resources.of("AWS::Serverless::Api");
    let Some(api) = apis.next() else {
        return Ok(ApiDefaults::default());
    };
    if let Some(second) = apis.next() {
        return Err(second.properties.error("the runner knows one API only"));
    }
    let properties = &api.properties;
    if let Some(node) = properties.get("DefinitionBody").or(properties.get("DefinitionUri")) {
        return Err(node.error("the runner takes routes from the functions' events only"));
    }
    let mut responses = BTreeMap::new();
    if let Some(all) = properties.get("GatewayResponses") {
        for (kind, node) in all.entries()? {
            responses.insert(kind.clone(), response(node)?);
        }
    }
    let auth = properties.get("Auth");
    let default = auth.and_then(|auth| auth.get("DefaultAuthorizer"));
    let flag = auth.and_then(|auth| auth.get("ApiKeyRequired"));
    Ok(ApiDefaults {
        settings: Api {
            logical_id: api.logical_id.clone(),
            stage: api.name.clone(),
            throttle: stage_throttle(properties)?,
            authorizer: auth.map(|auth| authorizer(resources, auth)).transpose()?.flatten(),
            responses,
        },
        authorized: default.is_some(),
        api_key_required: flag.map(Node::boolean).transpose()?.unwrap_or(false),
    })
}

/// The throttle that `MethodSettings` sets for every method of every resource.
fn stage_throttle(properties: &Node) -> Result<Option<Throttle>, TemplateError> {
    let Some(settings) = properties.get("MethodSettings") else {
        return Ok(None);
    };
    let mut throttle = None;
    for setting in settings.items()? {
        let Some(rate) = setting.get("ThrottlingRateLimit") else {
            continue;
        };
        let path = required(setting, "ResourcePath")?.string()?;
        let method = required(setting, "HttpMethod")?.string()?;
        if path != "/*" || method != "*" {
            return Err(setting.error("the runner throttles the whole stage only (/* and *)"));
        }
        throttle = Some(Throttle { rate: rate.number()?, burst: required(setting, "ThrottlingBurstLimit")?.number()? });
    }
    Ok(throttle)
}

fn authorizer(resources: &Resources, auth: &Node) -> Result<Option<Authorizer>, TemplateError> {
    let Some(all) = auth.get("Authorizers") else {
        return Ok(None);
    };
    let Some((_, node)) = all.single() else {
        return Err(all.error("the runner knows one authorizer only"));
    };
    only(node, &["FunctionArn", "FunctionPayloadType", "FunctionInvokeRole", "Identity"])?;
    let kind = required(node, "FunctionPayloadType")?;
    if kind.string()? != "REQUEST" {
        return Err(kind.error("the runner knows REQUEST authorizers only"));
    }
    let arn = required(node, "FunctionArn")?;
    let function = resources.by_arn(arn, "AWS::Serverless::Function")?;
    let empty = Node::empty_map(node.line);
    let identity = node.get("Identity").unwrap_or(&empty);
    only(identity, &["Headers", "ReauthorizeEvery"])?;
    let headers = match identity.get("Headers") {
        Some(headers) => headers.items()?.iter().map(Node::string).collect(),
        None => Ok(Vec::new()),
    };
    Ok(Some(Authorizer {
        function: super::function::folder(function)?,
        headers: headers?,
        cache: seconds(identity, "ReauthorizeEvery", 300)?,
    }))
}

fn response(node: &Node) -> Result<GatewayResponse, TemplateError> {
    only(node, &["StatusCode", "ResponseParameters", "ResponseTemplates"])?;
    let mut headers = BTreeMap::new();
    if let Some(parameters) = node.get("ResponseParameters") {
        for (name, value) in parameters.entries()? {
            if name == "Headers" {
                for (name, value) in value.entries()? {
                    headers.insert(name.clone(), header_value(value)?);
                }
            } else if let Some(name) = name.strip_prefix("gatewayresponse.header.") {
                headers.insert(name.to_owned(), header_value(value)?);
            } else {
                return Err(value.error(format!("the runner does not know {name} here")));
            }
        }
    }
    let body = node.get("ResponseTemplates").and_then(|templates| templates.get("application/json"));
    Ok(GatewayResponse {
        status: node.get("StatusCode").map(Node::number).transpose()?,
        headers,
        body: body.map(Node::string).transpose()?,
    })
}

/// A header is mapped from a quoted literal (`'1'`) or from the context (`context.requestId`).
fn header_value(node: &Node) -> Result<String, TemplateError> {
    let text = node.string()?;
    let literal = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    match literal {
        Some(literal) => Ok(literal.to_owned()),
        None if text.starts_with("context.") => Ok(format!("${text}")),
        None => Err(node.error("write it as \"'literal'\" or as context.…")),
    }
}

pub(super) fn usage_plan(resource: &Resource) -> Result<UsagePlan, TemplateError> {
    let properties = &resource.properties;
    if let Some(quota) = properties.get("Quota") {
        return Err(quota.error("the runner keeps no quotas"));
    }
    Ok(UsagePlan {
        logical_id: resource.logical_id.clone(),
        throttle: Throttle {
            rate: required(properties, "Throttle.RateLimit")?.number()?,
            burst: required(properties, "Throttle.BurstLimit")?.number()?,
        },
    })
}
