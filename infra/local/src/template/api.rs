//! Reads the REST API's own settings and the usage plans.

use std::collections::BTreeMap;

use super::node::Node;
use super::passed_over::{only, only_of};
use super::resources::{Resource, Resources, required};
use super::store::seconds;
use super::{Api, Authorizer, GatewayResponse, Mock, TemplateError, Throttle, UsagePlan};
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
    only_of(
        "AWS::Serverless::Api",
        properties,
        &[
            "StageName",
            "ApiKeySourceType",
            "Auth",
            "DefinitionBody",
            "MethodSettings",
            "GatewayResponses",
            "MinimumCompressionSize",
        ],
    )?;
    let mut mocks = Vec::new();
    if let Some(definition) = properties.get("DefinitionBody") {
        only_of("DefinitionBody", definition, &["paths"])?;
        for (path, node) in required(definition, "paths")?.entries()? {
            // Routes are read from the functions' events.
            only(node, &["x-amazon-apigateway-any-method"])?;
            mocks.extend(node.get("x-amazon-apigateway-any-method").map(|node| mock(path, node)).transpose()?);
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
    only(auth, &["DefaultAuthorizer", "ApiKeyRequired", "Authorizers"])?;
    let authorizer = authorizer(resources, auth)?;
    let default = auth.get("DefaultAuthorizer");
    if let Some(default) = default {
        known_authorizer(default, authorizer.as_ref())?;
    }
    let key = auth.get("ApiKeyRequired").map(Node::boolean).transpose()?;
    let source = properties.get("ApiKeySourceType").map(Node::string).transpose()?;
    Ok(ApiDefaults {
        settings: Api {
            stage: api.name.clone(),
            throttle: stage_throttle(properties)?,
            authorizer,
            responses,
            mocks,
            compression_size_min: properties.get("MinimumCompressionSize").map(Node::number).transpose()?,
        },
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
        only(setting, &["ResourcePath", "HttpMethod", "ThrottlingRateLimit", "ThrottlingBurstLimit"])?;
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
    only(node, &["FunctionArn", "FunctionPayloadType", "Identity"])?;
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
        name: name.to_owned(),
        function: super::function::folder(function)?,
        headers: headers?,
        cache: seconds(identity, "ReauthorizeEvery", 300)?,
    }))
}

fn response(node: &Node) -> Result<GatewayResponse, TemplateError> {
    only(node, &["StatusCode", "ResponseParameters", "ResponseTemplates"])?;
    let mut headers = BTreeMap::new();
    if let Some(parameters) = node.get("ResponseParameters") {
        only(parameters, &["Headers"])?;
        for (name, value) in required(parameters, "Headers")?.entries()? {
            headers.insert(name.clone(), header_value(value)?);
        }
    }
    Ok(GatewayResponse {
        status: node.get("StatusCode").map(Node::number).transpose()?,
        headers,
        body: node.get("ResponseTemplates").map(json_template).transpose()?,
    })
}

/// The template for JSON, which API Gateway takes whatever a client accepts.
fn json_template(templates: &Node) -> Result<String, TemplateError> {
    only(templates, &["application/json"])?;
    required(templates, "application/json")?.string()
}

/// A mock integration for any method. It needs no API key and gives every request the same response.
fn mock(path: &str, node: &Node) -> Result<Mock, TemplateError> {
    only_of("x-amazon-apigateway-any-method", node, &["security", "x-amazon-apigateway-integration"])?;
    let security = required(node, "security")?;
    let names = security.items()?.iter().filter_map(Node::single).map(|(name, _)| name);
    if !names.eq(["NONE", "api_key_false"]) {
        // Else SAM adds the authorizer and the key that routes have.
        return Err(security.error("the runner knows mocks for everybody only: [{ NONE: [] }, { api_key_false: [] }]"));
    }
    let integration = required(node, "x-amazon-apigateway-integration")?;
    only(integration, &["type", "passthroughBehavior", "requestTemplates", "responses"])?;
    if required(integration, "type")?.string()? != "mock" {
        return Err(integration.error("the runner knows integrations of the type mock only"));
    }
    if required(integration, "passthroughBehavior")?.string()? != "never" {
        return Err(integration.error("the runner knows the passthroughBehavior never only"));
    }
    let responses = required(integration, "responses")?;
    only(responses, &["default"])?;
    let response = required(responses, "default")?;
    only(response, &["statusCode", "responseParameters", "responseTemplates"])?;
    let status = required(response, "statusCode")?;
    let mut media_types = Vec::new();
    for (media_type, template) in required(integration, "requestTemplates")?.entries()? {
        if template.string()? != format!("{{\"statusCode\":{}}}", status.string()?) {
            return Err(template.error("the template must be the status of the response: {\"statusCode\":…}"));
        }
        media_types.push(media_type.clone());
    }
    let mut headers = BTreeMap::new();
    for (target, value) in required(response, "responseParameters")?.entries()? {
        let name = target.strip_prefix("method.response.header.");
        let name = name.ok_or_else(|| value.error(format!("the runner does not know {target} here")))?;
        headers.insert(name.to_owned(), header_value(value)?);
    }
    let body = Some(json_template(required(response, "responseTemplates")?)?);
    let answer = GatewayResponse { status: Some(status.number()?), headers, body };
    Ok(Mock { path: path.to_owned(), media_types, answer })
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
    only_of("AWS::ApiGateway::UsagePlan", properties, &["ApiStages", "Throttle"])?;
    let mut covers = false;
    let mut routes = BTreeMap::new();
    for stage in required(properties, "ApiStages")?.items()? {
        only(stage, &["ApiId", "Stage", "Throttle"])?;
        if required(stage, "ApiId")?.string()? == API_ID && required(stage, "Stage")?.string()? == api.stage {
            covers = true;
            for (route, limits) in stage.get("Throttle").map(Node::entries).transpose()?.unwrap_or_default() {
                routes.insert(route.clone(), throttle(limits)?);
            }
        }
    }
    if !covers {
        // On AWS every key of such a plan is 403.
        return Err(required(properties, "ApiStages")?.error("the plan does not have the API's stage"));
    }
    let throttle = throttle(required(properties, "Throttle")?)?;
    Ok(UsagePlan { logical_id: resource.logical_id.clone(), throttle, routes })
}

fn throttle(node: &Node) -> Result<Throttle, TemplateError> {
    only(node, &["RateLimit", "BurstLimit"])?;
    Ok(Throttle { rate: required(node, "RateLimit")?.number()?, burst: required(node, "BurstLimit")?.number()? })
}
