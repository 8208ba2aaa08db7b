# Made by `python -m sdk.generate_stubs` from anthropic 2.12.0; not changed by hand.
# ruff: noqa
# mypy: disable-error-code="override,misc,overload-overlap,type-arg,attr-defined,unused-ignore"
from collections.abc import Mapping
from functools import cached_property
from typing import Any, overload

from infraprism.limits import Limits, OnLimit, WhenUnreachable
from anthropic._client import Anthropic as Anthropic
from anthropic._client import AsyncAnthropic as AsyncAnthropic
from anthropic._decoders.jsonl import AsyncJSONLDecoder as AsyncJSONLDecoder
from anthropic._decoders.jsonl import JSONLDecoder as JSONLDecoder
from anthropic._middleware import MiddlewareInput as MiddlewareInput
from anthropic._streaming import AsyncStream as AsyncStream
from anthropic._streaming import Stream as Stream
from anthropic._types import Body as Body
from anthropic._types import Headers as Headers
from anthropic._types import NotGiven as NotGiven
from anthropic._types import Omit as Omit
from anthropic._types import OpenTelemetryClientOption as OpenTelemetryClientOption
from anthropic._types import Query as Query
from anthropic._types import SequenceNotStr as SequenceNotStr
from anthropic._types import Timeout as Timeout
from anthropic.lib._parse._response import ResponseFormatT as ResponseFormatT
from anthropic.lib.credentials import AccessTokenProvider as AccessTokenProvider
from anthropic.lib.credentials import AsyncAccessTokenProvider as AsyncAccessTokenProvider
from anthropic.lib.credentials import TokenCache as TokenCache
from anthropic.lib.streaming import AsyncMessageStreamManager as AsyncMessageStreamManager
from anthropic.lib.streaming import BetaAsyncMessageStreamManager as BetaAsyncMessageStreamManager
from anthropic.lib.streaming import BetaMessageStreamManager as BetaMessageStreamManager
from anthropic.lib.streaming import MessageStreamManager as MessageStreamManager
from anthropic.lib.tools._tool_params import BetaToolLike as BetaToolLike
from anthropic.resources.beta.beta import AsyncBeta as AsyncBeta
from anthropic.resources.beta.beta import Beta as Beta
from anthropic.resources.beta.messages.batches import AsyncBatches as AsyncBatches
from anthropic.resources.beta.messages.batches import Batches as Batches
from anthropic.resources.beta.messages.messages import AsyncMessages as AsyncMessages
from anthropic.resources.beta.messages.messages import Messages as Messages
from anthropic.resources.messages.batches import AsyncBatches as AsyncBatches_
from anthropic.resources.messages.batches import Batches as Batches_
from anthropic.resources.messages.messages import AsyncMessages as AsyncMessages_
from anthropic.resources.messages.messages import Messages as Messages_
from anthropic.types import DiagnosticsParam as DiagnosticsParam
from anthropic.types import ThinkingConfigParam as ThinkingConfigParam
from anthropic.types.anthropic_beta_param import AnthropicBetaParam as AnthropicBetaParam
from anthropic.types.beta import BetaDiagnosticsParam as BetaDiagnosticsParam
from anthropic.types.beta import BetaFallbacksParam as BetaFallbacksParam
from anthropic.types.beta import BetaMessageThreadParam as BetaMessageThreadParam
from anthropic.types.beta import BetaThinkingConfigParam as BetaThinkingConfigParam
from anthropic.types.beta import message_create_params as message_create_params
from anthropic.types.beta.beta_billing_policy_param import BetaBillingPolicyParam as BetaBillingPolicyParam
from anthropic.types.beta.beta_cache_control_ephemeral_param import BetaCacheControlEphemeralParam as BetaCacheControlEphemeralParam
from anthropic.types.beta.beta_compaction_config_param import BetaCompactionConfigParam as BetaCompactionConfigParam
from anthropic.types.beta.beta_context_management_config_param import BetaContextManagementConfigParam as BetaContextManagementConfigParam
from anthropic.types.beta.beta_message import BetaMessage as BetaMessage
from anthropic.types.beta.beta_message_param import BetaMessageParam as BetaMessageParam
from anthropic.types.beta.beta_metadata_param import BetaMetadataParam as BetaMetadataParam
from anthropic.types.beta.beta_output_config_param import BetaOutputConfigParam as BetaOutputConfigParam
from anthropic.types.beta.beta_raw_message_stream_event import BetaRawMessageStreamEvent as BetaRawMessageStreamEvent
from anthropic.types.beta.beta_request_mcp_server_url_definition_param import BetaRequestMCPServerURLDefinitionParam as BetaRequestMCPServerURLDefinitionParam
from anthropic.types.beta.beta_text_block_param import BetaTextBlockParam as BetaTextBlockParam
from anthropic.types.beta.beta_tool_choice_param import BetaToolChoiceParam as BetaToolChoiceParam
from anthropic.types.beta.messages.beta_message_batch_individual_response import BetaMessageBatchIndividualResponse as BetaMessageBatchIndividualResponse
from anthropic.types.beta.parsed_beta_message import ParsedBetaMessage as ParsedBetaMessage
from anthropic.types.cache_control_ephemeral_param import CacheControlEphemeralParam as CacheControlEphemeralParam
from anthropic.types.message import Message as Message
from anthropic.types.message_create_params_container_param import MessageCreateParamsContainerParam as MessageCreateParamsContainerParam
from anthropic.types.message_param import MessageParam as MessageParam
from anthropic.types.messages.message_batch_individual_response import MessageBatchIndividualResponse as MessageBatchIndividualResponse
from anthropic.types.metadata_param import MetadataParam as MetadataParam
from anthropic.types.model_param import ModelParam as ModelParam
from anthropic.types.output_config_param import OutputConfigParam as OutputConfigParam
from anthropic.types.parsed_message import ParsedMessage as ParsedMessage
from anthropic.types.raw_message_stream_event import RawMessageStreamEvent as RawMessageStreamEvent
from anthropic.types.text_block_param import TextBlockParam as TextBlockParam
from anthropic.types.tool_choice_param import ToolChoiceParam as ToolChoiceParam
from anthropic.types.tool_union_param import ToolUnionParam as ToolUnionParam
from typing import Iterable as Iterable
from typing import List as List
from typing import Optional as Optional
from typing import Sequence as Sequence
from typing import Union as Union
from typing_extensions import Literal as Literal
import httpx2 as httpx2

class TrackedBetaMessagesBatches(Batches):
    def results(
        self,
        message_batch_id: str,
        *,
        betas: List[AnthropicBetaParam] | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> JSONLDecoder[BetaMessageBatchIndividualResponse]: ...


class TrackedBetaMessages(Messages):
    @cached_property
    def batches(self) -> TrackedBetaMessagesBatches: ...
    @overload
    def create(
        self,
        *,
        max_tokens: int,
        messages: Iterable[BetaMessageParam],
        model: ModelParam,
        billing_policy: Optional[BetaBillingPolicyParam] | Omit = ...,
        cache_control: Optional[BetaCacheControlEphemeralParam] | Omit = ...,
        compaction: Optional[BetaCompactionConfigParam] | Omit = ...,
        container: Optional[message_create_params.Container] | Omit = ...,
        context_management: Optional[BetaContextManagementConfigParam] | Omit = ...,
        diagnostics: Optional[BetaDiagnosticsParam] | Omit = ...,
        fallback_credit_token: Optional[message_create_params.FallbackCreditToken] | Omit = ...,
        fallbacks: Optional[BetaFallbacksParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        mcp_servers: Iterable[BetaRequestMCPServerURLDefinitionParam] | Omit = ...,
        metadata: BetaMetadataParam | Omit = ...,
        output_config: BetaOutputConfigParam | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        stream: Literal[False] | Omit = ...,
        system: Union[str, Iterable[BetaTextBlockParam]] | Omit = ...,
        thinking: BetaThinkingConfigParam | Omit = ...,
        thread: Optional[BetaMessageThreadParam] | Omit = ...,
        tool_choice: BetaToolChoiceParam | Omit = ...,
        tools: Iterable[BetaToolLike] | Omit = ...,
        betas: List[AnthropicBetaParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> BetaMessage: ...
    @overload
    def create(
        self,
        *,
        max_tokens: int,
        messages: Iterable[BetaMessageParam],
        model: ModelParam,
        stream: Literal[True],
        billing_policy: Optional[BetaBillingPolicyParam] | Omit = ...,
        cache_control: Optional[BetaCacheControlEphemeralParam] | Omit = ...,
        compaction: Optional[BetaCompactionConfigParam] | Omit = ...,
        container: Optional[message_create_params.Container] | Omit = ...,
        context_management: Optional[BetaContextManagementConfigParam] | Omit = ...,
        diagnostics: Optional[BetaDiagnosticsParam] | Omit = ...,
        fallback_credit_token: Optional[message_create_params.FallbackCreditToken] | Omit = ...,
        fallbacks: Optional[BetaFallbacksParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        mcp_servers: Iterable[BetaRequestMCPServerURLDefinitionParam] | Omit = ...,
        metadata: BetaMetadataParam | Omit = ...,
        output_config: BetaOutputConfigParam | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[BetaTextBlockParam]] | Omit = ...,
        thinking: BetaThinkingConfigParam | Omit = ...,
        thread: Optional[BetaMessageThreadParam] | Omit = ...,
        tool_choice: BetaToolChoiceParam | Omit = ...,
        tools: Iterable[BetaToolLike] | Omit = ...,
        betas: List[AnthropicBetaParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> Stream[BetaRawMessageStreamEvent]: ...
    @overload
    def create(
        self,
        *,
        max_tokens: int,
        messages: Iterable[BetaMessageParam],
        model: ModelParam,
        stream: bool,
        billing_policy: Optional[BetaBillingPolicyParam] | Omit = ...,
        cache_control: Optional[BetaCacheControlEphemeralParam] | Omit = ...,
        compaction: Optional[BetaCompactionConfigParam] | Omit = ...,
        container: Optional[message_create_params.Container] | Omit = ...,
        context_management: Optional[BetaContextManagementConfigParam] | Omit = ...,
        diagnostics: Optional[BetaDiagnosticsParam] | Omit = ...,
        fallback_credit_token: Optional[message_create_params.FallbackCreditToken] | Omit = ...,
        fallbacks: Optional[BetaFallbacksParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        mcp_servers: Iterable[BetaRequestMCPServerURLDefinitionParam] | Omit = ...,
        metadata: BetaMetadataParam | Omit = ...,
        output_config: BetaOutputConfigParam | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[BetaTextBlockParam]] | Omit = ...,
        thinking: BetaThinkingConfigParam | Omit = ...,
        thread: Optional[BetaMessageThreadParam] | Omit = ...,
        tool_choice: BetaToolChoiceParam | Omit = ...,
        tools: Iterable[BetaToolLike] | Omit = ...,
        betas: List[AnthropicBetaParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> BetaMessage | Stream[BetaRawMessageStreamEvent]: ...
    def parse(
        self,
        *,
        max_tokens: int,
        messages: Iterable[BetaMessageParam],
        model: ModelParam,
        billing_policy: Optional[BetaBillingPolicyParam] | Omit = ...,
        cache_control: Optional[BetaCacheControlEphemeralParam] | Omit = ...,
        compaction: Optional[BetaCompactionConfigParam] | Omit = ...,
        container: Optional[message_create_params.Container] | Omit = ...,
        context_management: Optional[BetaContextManagementConfigParam] | Omit = ...,
        diagnostics: Optional[BetaDiagnosticsParam] | Omit = ...,
        fallback_credit_token: Optional[message_create_params.FallbackCreditToken] | Omit = ...,
        fallbacks: Optional[BetaFallbacksParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        mcp_servers: Iterable[BetaRequestMCPServerURLDefinitionParam] | Omit = ...,
        metadata: BetaMetadataParam | Omit = ...,
        output_config: BetaOutputConfigParam | Omit = ...,
        output_format: Optional[type[ResponseFormatT]] | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[BetaTextBlockParam]] | Omit = ...,
        thinking: BetaThinkingConfigParam | Omit = ...,
        thread: Optional[BetaMessageThreadParam] | Omit = ...,
        tool_choice: BetaToolChoiceParam | Omit = ...,
        tools: Iterable[BetaToolLike] | Omit = ...,
        betas: List[AnthropicBetaParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> ParsedBetaMessage[ResponseFormatT]: ...
    def stream(
        self,
        *,
        max_tokens: int,
        messages: Iterable[BetaMessageParam],
        model: ModelParam,
        billing_policy: Optional[BetaBillingPolicyParam] | Omit = ...,
        cache_control: Optional[BetaCacheControlEphemeralParam] | Omit = ...,
        compaction: Optional[BetaCompactionConfigParam] | Omit = ...,
        container: Optional[message_create_params.Container] | Omit = ...,
        context_management: Optional[BetaContextManagementConfigParam] | Omit = ...,
        diagnostics: Optional[BetaDiagnosticsParam] | Omit = ...,
        fallback_credit_token: Optional[message_create_params.FallbackCreditToken] | Omit = ...,
        fallbacks: Optional[BetaFallbacksParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        mcp_servers: Iterable[BetaRequestMCPServerURLDefinitionParam] | Omit = ...,
        metadata: BetaMetadataParam | Omit = ...,
        output_config: BetaOutputConfigParam | Omit = ...,
        output_format: Optional[type[ResponseFormatT]] | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[BetaTextBlockParam]] | Omit = ...,
        thinking: BetaThinkingConfigParam | Omit = ...,
        thread: Optional[BetaMessageThreadParam] | Omit = ...,
        tool_choice: BetaToolChoiceParam | Omit = ...,
        tools: Iterable[BetaToolLike] | Omit = ...,
        betas: List[AnthropicBetaParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> BetaMessageStreamManager[ResponseFormatT]: ...


class TrackedBeta(Beta):
    @cached_property
    def messages(self) -> TrackedBetaMessages: ...


class TrackedMessagesBatches(Batches_):
    def results(
        self,
        message_batch_id: str,
        *,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> JSONLDecoder[MessageBatchIndividualResponse]: ...


class TrackedMessages(Messages_):
    @cached_property
    def batches(self) -> TrackedMessagesBatches: ...
    @overload
    def create(
        self,
        *,
        max_tokens: int,
        messages: Iterable[MessageParam],
        model: ModelParam,
        cache_control: Optional[CacheControlEphemeralParam] | Omit = ...,
        container: Optional[MessageCreateParamsContainerParam] | Omit = ...,
        diagnostics: Optional[DiagnosticsParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        metadata: MetadataParam | Omit = ...,
        output_config: OutputConfigParam | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        stream: Literal[False] | Omit = ...,
        system: Union[str, Iterable[TextBlockParam]] | Omit = ...,
        thinking: ThinkingConfigParam | Omit = ...,
        tool_choice: ToolChoiceParam | Omit = ...,
        tools: Iterable[ToolUnionParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> Message: ...
    @overload
    def create(
        self,
        *,
        max_tokens: int,
        messages: Iterable[MessageParam],
        model: ModelParam,
        stream: Literal[True],
        cache_control: Optional[CacheControlEphemeralParam] | Omit = ...,
        container: Optional[MessageCreateParamsContainerParam] | Omit = ...,
        diagnostics: Optional[DiagnosticsParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        metadata: MetadataParam | Omit = ...,
        output_config: OutputConfigParam | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[TextBlockParam]] | Omit = ...,
        thinking: ThinkingConfigParam | Omit = ...,
        tool_choice: ToolChoiceParam | Omit = ...,
        tools: Iterable[ToolUnionParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> Stream[RawMessageStreamEvent]: ...
    @overload
    def create(
        self,
        *,
        max_tokens: int,
        messages: Iterable[MessageParam],
        model: ModelParam,
        stream: bool,
        cache_control: Optional[CacheControlEphemeralParam] | Omit = ...,
        container: Optional[MessageCreateParamsContainerParam] | Omit = ...,
        diagnostics: Optional[DiagnosticsParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        metadata: MetadataParam | Omit = ...,
        output_config: OutputConfigParam | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[TextBlockParam]] | Omit = ...,
        thinking: ThinkingConfigParam | Omit = ...,
        tool_choice: ToolChoiceParam | Omit = ...,
        tools: Iterable[ToolUnionParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> Message | Stream[RawMessageStreamEvent]: ...
    def parse(
        self,
        *,
        max_tokens: int,
        messages: Iterable[MessageParam],
        model: ModelParam,
        diagnostics: Optional[DiagnosticsParam] | Omit = ...,
        metadata: MetadataParam | Omit = ...,
        output_config: OutputConfigParam | Omit = ...,
        output_format: Optional[type[ResponseFormatT]] | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[TextBlockParam]] | Omit = ...,
        thinking: ThinkingConfigParam | Omit = ...,
        tool_choice: ToolChoiceParam | Omit = ...,
        tools: Iterable[ToolUnionParam] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> ParsedMessage[ResponseFormatT]: ...
    def stream(
        self,
        *,
        max_tokens: int,
        messages: Iterable[MessageParam],
        model: ModelParam,
        cache_control: Optional[CacheControlEphemeralParam] | Omit = ...,
        diagnostics: Optional[DiagnosticsParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        metadata: MetadataParam | Omit = ...,
        output_config: OutputConfigParam | Omit = ...,
        output_format: Optional[type[ResponseFormatT]] | Omit = ...,
        container: Optional[MessageCreateParamsContainerParam] | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[TextBlockParam]] | Omit = ...,
        thinking: ThinkingConfigParam | Omit = ...,
        tool_choice: ToolChoiceParam | Omit = ...,
        tools: Iterable[ToolUnionParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> MessageStreamManager[ResponseFormatT]: ...


class InfraPrismAnthropic(Anthropic):
    """`anthropic.Anthropic`; every call takes entity_type, entity_id, session_id and tags as well."""
    def __init__(
        self,
        *,
        api_key: str | None = ...,
        auth_token: str | None = ...,
        credentials: AccessTokenProvider | None = ...,
        config: Mapping[str, Any] | None = ...,
        profile: str | None = ...,
        webhook_key: str | None = ...,
        base_url: str | httpx2.URL | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        max_retries: int = ...,
        default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        open_telemetry: OpenTelemetryClientOption = ...,
        http_client: httpx2.Client | None = ...,
        middleware: Sequence[MiddlewareInput] | None = ...,
        _strict_response_validation: bool = ...,
        _token_cache: TokenCache | None | NotGiven = ...,
        limits: Limits = ...,
        on_limit: OnLimit | None = ...,
        when_unreachable: WhenUnreachable = ...,
    ) -> None: ...
    @cached_property
    def beta(self) -> TrackedBeta: ...
    @cached_property
    def messages(self) -> TrackedMessages: ...


class AsyncTrackedBetaMessagesBatches(AsyncBatches):
    async def results(
        self,
        message_batch_id: str,
        *,
        betas: List[AnthropicBetaParam] | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> AsyncJSONLDecoder[BetaMessageBatchIndividualResponse]: ...


class AsyncTrackedBetaMessages(AsyncMessages):
    @cached_property
    def batches(self) -> AsyncTrackedBetaMessagesBatches: ...
    @overload
    async def create(
        self,
        *,
        max_tokens: int,
        messages: Iterable[BetaMessageParam],
        model: ModelParam,
        billing_policy: Optional[BetaBillingPolicyParam] | Omit = ...,
        cache_control: Optional[BetaCacheControlEphemeralParam] | Omit = ...,
        compaction: Optional[BetaCompactionConfigParam] | Omit = ...,
        container: Optional[message_create_params.Container] | Omit = ...,
        context_management: Optional[BetaContextManagementConfigParam] | Omit = ...,
        diagnostics: Optional[BetaDiagnosticsParam] | Omit = ...,
        fallback_credit_token: Optional[message_create_params.FallbackCreditToken] | Omit = ...,
        fallbacks: Optional[BetaFallbacksParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        mcp_servers: Iterable[BetaRequestMCPServerURLDefinitionParam] | Omit = ...,
        metadata: BetaMetadataParam | Omit = ...,
        output_config: BetaOutputConfigParam | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        stream: Literal[False] | Omit = ...,
        system: Union[str, Iterable[BetaTextBlockParam]] | Omit = ...,
        thinking: BetaThinkingConfigParam | Omit = ...,
        thread: Optional[BetaMessageThreadParam] | Omit = ...,
        tool_choice: BetaToolChoiceParam | Omit = ...,
        tools: Iterable[BetaToolLike] | Omit = ...,
        betas: List[AnthropicBetaParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> BetaMessage: ...
    @overload
    async def create(
        self,
        *,
        max_tokens: int,
        messages: Iterable[BetaMessageParam],
        model: ModelParam,
        stream: Literal[True],
        billing_policy: Optional[BetaBillingPolicyParam] | Omit = ...,
        cache_control: Optional[BetaCacheControlEphemeralParam] | Omit = ...,
        compaction: Optional[BetaCompactionConfigParam] | Omit = ...,
        container: Optional[message_create_params.Container] | Omit = ...,
        context_management: Optional[BetaContextManagementConfigParam] | Omit = ...,
        diagnostics: Optional[BetaDiagnosticsParam] | Omit = ...,
        fallback_credit_token: Optional[message_create_params.FallbackCreditToken] | Omit = ...,
        fallbacks: Optional[BetaFallbacksParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        mcp_servers: Iterable[BetaRequestMCPServerURLDefinitionParam] | Omit = ...,
        metadata: BetaMetadataParam | Omit = ...,
        output_config: BetaOutputConfigParam | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[BetaTextBlockParam]] | Omit = ...,
        thinking: BetaThinkingConfigParam | Omit = ...,
        thread: Optional[BetaMessageThreadParam] | Omit = ...,
        tool_choice: BetaToolChoiceParam | Omit = ...,
        tools: Iterable[BetaToolLike] | Omit = ...,
        betas: List[AnthropicBetaParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> AsyncStream[BetaRawMessageStreamEvent]: ...
    @overload
    async def create(
        self,
        *,
        max_tokens: int,
        messages: Iterable[BetaMessageParam],
        model: ModelParam,
        stream: bool,
        billing_policy: Optional[BetaBillingPolicyParam] | Omit = ...,
        cache_control: Optional[BetaCacheControlEphemeralParam] | Omit = ...,
        compaction: Optional[BetaCompactionConfigParam] | Omit = ...,
        container: Optional[message_create_params.Container] | Omit = ...,
        context_management: Optional[BetaContextManagementConfigParam] | Omit = ...,
        diagnostics: Optional[BetaDiagnosticsParam] | Omit = ...,
        fallback_credit_token: Optional[message_create_params.FallbackCreditToken] | Omit = ...,
        fallbacks: Optional[BetaFallbacksParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        mcp_servers: Iterable[BetaRequestMCPServerURLDefinitionParam] | Omit = ...,
        metadata: BetaMetadataParam | Omit = ...,
        output_config: BetaOutputConfigParam | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[BetaTextBlockParam]] | Omit = ...,
        thinking: BetaThinkingConfigParam | Omit = ...,
        thread: Optional[BetaMessageThreadParam] | Omit = ...,
        tool_choice: BetaToolChoiceParam | Omit = ...,
        tools: Iterable[BetaToolLike] | Omit = ...,
        betas: List[AnthropicBetaParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> BetaMessage | AsyncStream[BetaRawMessageStreamEvent]: ...
    async def parse(
        self,
        *,
        max_tokens: int,
        messages: Iterable[BetaMessageParam],
        model: ModelParam,
        billing_policy: Optional[BetaBillingPolicyParam] | Omit = ...,
        cache_control: Optional[BetaCacheControlEphemeralParam] | Omit = ...,
        compaction: Optional[BetaCompactionConfigParam] | Omit = ...,
        container: Optional[message_create_params.Container] | Omit = ...,
        context_management: Optional[BetaContextManagementConfigParam] | Omit = ...,
        diagnostics: Optional[BetaDiagnosticsParam] | Omit = ...,
        fallback_credit_token: Optional[message_create_params.FallbackCreditToken] | Omit = ...,
        fallbacks: Optional[BetaFallbacksParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        mcp_servers: Iterable[BetaRequestMCPServerURLDefinitionParam] | Omit = ...,
        metadata: BetaMetadataParam | Omit = ...,
        output_config: BetaOutputConfigParam | Omit = ...,
        output_format: Optional[type[ResponseFormatT]] | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[BetaTextBlockParam]] | Omit = ...,
        thinking: BetaThinkingConfigParam | Omit = ...,
        thread: Optional[BetaMessageThreadParam] | Omit = ...,
        tool_choice: BetaToolChoiceParam | Omit = ...,
        tools: Iterable[BetaToolLike] | Omit = ...,
        betas: List[AnthropicBetaParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> ParsedBetaMessage[ResponseFormatT]: ...
    def stream(
        self,
        *,
        max_tokens: int,
        messages: Iterable[BetaMessageParam],
        model: ModelParam,
        billing_policy: Optional[BetaBillingPolicyParam] | Omit = ...,
        cache_control: Optional[BetaCacheControlEphemeralParam] | Omit = ...,
        compaction: Optional[BetaCompactionConfigParam] | Omit = ...,
        metadata: BetaMetadataParam | Omit = ...,
        output_config: BetaOutputConfigParam | Omit = ...,
        output_format: Optional[type[ResponseFormatT]] | Omit = ...,
        container: Optional[message_create_params.Container] | Omit = ...,
        context_management: Optional[BetaContextManagementConfigParam] | Omit = ...,
        diagnostics: Optional[BetaDiagnosticsParam] | Omit = ...,
        fallback_credit_token: Optional[message_create_params.FallbackCreditToken] | Omit = ...,
        fallbacks: Optional[BetaFallbacksParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        mcp_servers: Iterable[BetaRequestMCPServerURLDefinitionParam] | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[BetaTextBlockParam]] | Omit = ...,
        thinking: BetaThinkingConfigParam | Omit = ...,
        thread: Optional[BetaMessageThreadParam] | Omit = ...,
        tool_choice: BetaToolChoiceParam | Omit = ...,
        tools: Iterable[BetaToolLike] | Omit = ...,
        betas: List[AnthropicBetaParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> BetaAsyncMessageStreamManager[ResponseFormatT]: ...


class AsyncTrackedBeta(AsyncBeta):
    @cached_property
    def messages(self) -> AsyncTrackedBetaMessages: ...


class AsyncTrackedMessagesBatches(AsyncBatches_):
    async def results(
        self,
        message_batch_id: str,
        *,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> AsyncJSONLDecoder[MessageBatchIndividualResponse]: ...


class AsyncTrackedMessages(AsyncMessages_):
    @cached_property
    def batches(self) -> AsyncTrackedMessagesBatches: ...
    @overload
    async def create(
        self,
        *,
        max_tokens: int,
        messages: Iterable[MessageParam],
        model: ModelParam,
        cache_control: Optional[CacheControlEphemeralParam] | Omit = ...,
        container: Optional[MessageCreateParamsContainerParam] | Omit = ...,
        diagnostics: Optional[DiagnosticsParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        metadata: MetadataParam | Omit = ...,
        output_config: OutputConfigParam | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        stream: Literal[False] | Omit = ...,
        system: Union[str, Iterable[TextBlockParam]] | Omit = ...,
        thinking: ThinkingConfigParam | Omit = ...,
        tool_choice: ToolChoiceParam | Omit = ...,
        tools: Iterable[ToolUnionParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> Message: ...
    @overload
    async def create(
        self,
        *,
        max_tokens: int,
        messages: Iterable[MessageParam],
        model: ModelParam,
        stream: Literal[True],
        cache_control: Optional[CacheControlEphemeralParam] | Omit = ...,
        container: Optional[MessageCreateParamsContainerParam] | Omit = ...,
        diagnostics: Optional[DiagnosticsParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        metadata: MetadataParam | Omit = ...,
        output_config: OutputConfigParam | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[TextBlockParam]] | Omit = ...,
        thinking: ThinkingConfigParam | Omit = ...,
        tool_choice: ToolChoiceParam | Omit = ...,
        tools: Iterable[ToolUnionParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> AsyncStream[RawMessageStreamEvent]: ...
    @overload
    async def create(
        self,
        *,
        max_tokens: int,
        messages: Iterable[MessageParam],
        model: ModelParam,
        stream: bool,
        cache_control: Optional[CacheControlEphemeralParam] | Omit = ...,
        container: Optional[MessageCreateParamsContainerParam] | Omit = ...,
        diagnostics: Optional[DiagnosticsParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        metadata: MetadataParam | Omit = ...,
        output_config: OutputConfigParam | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[TextBlockParam]] | Omit = ...,
        thinking: ThinkingConfigParam | Omit = ...,
        tool_choice: ToolChoiceParam | Omit = ...,
        tools: Iterable[ToolUnionParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> Message | AsyncStream[RawMessageStreamEvent]: ...
    async def parse(
        self,
        *,
        max_tokens: int,
        messages: Iterable[MessageParam],
        model: ModelParam,
        diagnostics: Optional[DiagnosticsParam] | Omit = ...,
        metadata: MetadataParam | Omit = ...,
        output_config: OutputConfigParam | Omit = ...,
        output_format: Optional[type[ResponseFormatT]] | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[TextBlockParam]] | Omit = ...,
        thinking: ThinkingConfigParam | Omit = ...,
        tool_choice: ToolChoiceParam | Omit = ...,
        tools: Iterable[ToolUnionParam] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> ParsedMessage[ResponseFormatT]: ...
    def stream(
        self,
        *,
        max_tokens: int,
        messages: Iterable[MessageParam],
        model: ModelParam,
        cache_control: Optional[CacheControlEphemeralParam] | Omit = ...,
        diagnostics: Optional[DiagnosticsParam] | Omit = ...,
        inference_geo: Optional[str] | Omit = ...,
        metadata: MetadataParam | Omit = ...,
        output_config: OutputConfigParam | Omit = ...,
        output_format: Optional[type[ResponseFormatT]] | Omit = ...,
        container: Optional[MessageCreateParamsContainerParam] | Omit = ...,
        service_tier: Literal['auto', 'standard_only'] | Omit = ...,
        speed: Optional[Literal['standard', 'fast']] | Omit = ...,
        stop_sequences: SequenceNotStr[str] | Omit = ...,
        system: Union[str, Iterable[TextBlockParam]] | Omit = ...,
        thinking: ThinkingConfigParam | Omit = ...,
        tool_choice: ToolChoiceParam | Omit = ...,
        tools: Iterable[ToolUnionParam] | Omit = ...,
        user_profile_id: str | Omit = ...,
        workspace_id: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        entity_type: str | None = ...,
        entity_id: str | None = ...,
        session_id: str | None = ...,
        tags: Mapping[str, Any] | None = ...,
    ) -> AsyncMessageStreamManager[ResponseFormatT]: ...


class AsyncInfraPrismAnthropic(AsyncAnthropic):
    """`anthropic.AsyncAnthropic`; every call takes entity_type, entity_id, session_id and tags as well."""
    def __init__(
        self,
        *,
        api_key: str | None = ...,
        auth_token: str | None = ...,
        credentials: AccessTokenProvider | AsyncAccessTokenProvider | None = ...,
        config: Mapping[str, Any] | None = ...,
        profile: str | None = ...,
        webhook_key: str | None = ...,
        base_url: str | httpx2.URL | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        max_retries: int = ...,
        default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        open_telemetry: OpenTelemetryClientOption = ...,
        http_client: httpx2.AsyncClient | None = ...,
        middleware: Sequence[MiddlewareInput] | None = ...,
        _strict_response_validation: bool = ...,
        _token_cache: TokenCache | None | NotGiven = ...,
        limits: Limits = ...,
        on_limit: OnLimit | None = ...,
        when_unreachable: WhenUnreachable = ...,
    ) -> None: ...
    @cached_property
    def beta(self) -> AsyncTrackedBeta: ...
    @cached_property
    def messages(self) -> AsyncTrackedMessages: ...

