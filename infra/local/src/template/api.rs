//! Reads the REST API's own settings and the usage plans.

use std::collections::BTreeMap;

use super::node::Node;
use super::resources::{Resource, Resources, only, required};
use super::store::seconds;
use super::{Api, Authorizer, GatewayResponse, TemplateError, Throttle, UsagePlan};
use crate::arn::API_ID;

/// The API's settings with what its routes take over from it.
#[derive(Default)]
pub(super) struct ApiDefaults {
    pub settings: Api,
    /// Whether a route asks the authorizer unless it says otherwise.
    pub authorized: bool,
    /// Whether a route needs an API key unless it says otherwise.
    pub api_key_required: bool,
    /// Whether the authorizer names the caller's key (`ApiKeySourceType: AUTHORIZER`).
    pub key_from_authorizer: bool,
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
    only(
        properties,
        &["StageName", "ApiKeySourceType", "Auth", "DefinitionBody", "MethodSettings", "GatewayResponses"],
        // Names, what stands between a client and the gateway (TLS, compression, where it answers), and what is told of
        // it afterwards.
        &[
            "AccessLogSetting",
            "Description",
            "Domain",
            "EndpointAccessMode",
            "EndpointConfiguration",
            "MergeDefinitions",
            "MinimumCompressionSize",
            "Name",
            "OpenApiVersion",
            "SecurityPolicy",
            "TracingEnabled",
        ],
    )?;
    if let Some(paths) = properties.at("DefinitionBody.paths") {
        for (_, path) in paths.entries()? {
            // Routes are read from the functions' events.
            only(path, &[], &[])?;
        }
    }
    let mut responses = BTreeMap::new();
    if let Some(all) = properties.get("GatewayResponses") {
        for (kind, node) in all.entries()? {
            responses.insert(kind.clone(), response(node)?);
        }
    }
    let empty = Node::empty_map(properties.line);
    let auth = properties.get("Auth").unwrap_or(&empty);
    only(auth, &["DefaultAuthorizer", "ApiKeyRequired", "Authorizers"], &[])?;
    let authorizer = authorizer(resources, auth)?;
    let default = auth.get("DefaultAuthorizer");
    if let Some(default) = default {
        known_authorizer(default, authorizer.as_ref())?;
    }
    let key = auth.get("ApiKeyRequired").map(Node::boolean).transpose()?;
    let source = properties.get("ApiKeySourceType").map(Node::string).transpose()?;
    Ok(ApiDefaults {
        settings: Api { stage: api.name.clone(), throttle: stage_throttle(properties)?, authorizer, responses },
        authorized: default.is_some(),
        api_key_required: key.unwrap_or(false),
        key_from_authorizer: source.as_deref() == Some("AUTHORIZER"),
    })
}

/// Refuses the name of an authorizer that the API does not have.
pub(super) fn known_authorizer(name: &Node, authorizer: Option<&Authorizer>) -> Result<(), TemplateError> {
    let given = name.string()?;
    if authorizer.is_some_and(|authorizer| authorizer.name == given) {
        return Ok(());
    }
    Err(name.error(format!("the API has no authorizer {given}")))
}

/// The throttle that `MethodSettings` sets for every method of every resource.
fn stage_throttle(properties: &Node) -> Result<Option<Throttle>, TemplateError> {
    let Some(settings) = properties.get("MethodSettings") else {
        return Ok(None);
    };
    let mut throttle = None;
    for setting in settings.items()? {
        only(setting, &["ResourcePath", "HttpMethod", "ThrottlingRateLimit", "ThrottlingBurstLimit"], &[])?;
        let rate = required(setting, "ThrottlingRateLimit")?;
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
    let Some((name, node)) = all.single() else {
        return Err(all.error("the runner knows one authorizer only"));
    };
    only(node, &["FunctionArn", "FunctionPayloadType", "Identity"], &[])?;
    let kind = required(node, "FunctionPayloadType")?;
    if kind.string()? != "REQUEST" {
        return Err(kind.error("the runner knows REQUEST authorizers only"));
    }
    let arn = required(node, "FunctionArn")?;
    let function = resources.by_arn(arn, "AWS::Serverless::Function")?;
    let empty = Node::empty_map(node.line);
    let identity = node.get("Identity").unwrap_or(&empty);
    only(identity, &["Headers", "ReauthorizeEvery"], &[])?;
    let headers = match identity.get("Headers") {
        Some(headers) => headers.items()?.iter().map(Node::string).collect(),
        None => Ok(Vec::new()),
    };
    Ok(Some(Authorizer {
        name: name.to_owned(),
        function: super::function::folder(function)?,
        headers: headers?,
        cache: seconds(identity, "ReauthorizeEvery", 300)?,
    }))
}

fn response(node: &Node) -> Result<GatewayResponse, TemplateError> {
    only(node, &["StatusCode", "ResponseParameters", "ResponseTemplates"], &[])?;
    let mut headers = BTreeMap::new();
    if let Some(parameters) = node.get("ResponseParameters") {
        only(parameters, &["Headers"], &[])?;
        for (name, value) in required(parameters, "Headers")?.entries()? {
            headers.insert(name.clone(), header_value(value)?);
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

pub(super) fn usage_plan(resource: &Resource, api: &Api) -> Result<UsagePlan, TemplateError> {
    let properties = &resource.properties;
    only(properties, &["ApiStages", "Throttle"], &["UsagePlanName"])?;
    let mut covers = false;
    for stage in required(properties, "ApiStages")?.items()? {
        only(stage, &["ApiId", "Stage"], &[])?;
        covers |= required(stage, "ApiId")?.string()? == API_ID && required(stage, "Stage")?.string()? == api.stage;
    }
    if !covers {
        // On AWS every key of such a plan is 403.
        return Err(required(properties, "ApiStages")?.error("the plan does not have the API's stage"));
    }
    let throttle = required(properties, "Throttle")?;
    only(throttle, &["RateLimit", "BurstLimit"], &[])?;
    Ok(UsagePlan {
        logical_id: resource.logical_id.clone(),
        throttle: Throttle {
            rate: required(throttle, "RateLimit")?.number()?,
            burst: required(throttle, "BurstLimit")?.number()?,
        },
    })
}
