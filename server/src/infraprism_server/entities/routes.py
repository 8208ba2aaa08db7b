"""GET /v1/entities, GET and PATCH /v1/entities/{entity_type}/{entity_id}."""

from __future__ import annotations

from infraprism_server.entities.schemas import (
    EntityDetail,
    EntityList,
    ListEntitiesQuery,
    PatchEntity,
)
from infraprism_server.entities.service import EntityService
from infraprism_server.http.fields import EntityIdField, EntityTypeField
from infraprism_server.http.operation import (
    ApiRequest,
    JsonResponse,
    Operation,
    answer,
    body_of,
    path_text,
    principal_of,
    query_of,
    route,
)
from infraprism_server.http.pagination import offset_from, page_of

_ONE = "/v1/entities/{entity_type:str}/{entity_id:str}"
_PARAMS = {"entity_type": EntityTypeField, "entity_id": EntityIdField}

LIST_ENTITIES = Operation(
    method="GET",
    path="/v1/entities",
    summary="List entities by what they cost",
    tag="Entities",
    query=ListEntitiesQuery,
    answer=EntityList,
    example="list_entities",
)
GET_ENTITY = Operation(
    method="GET",
    path=_ONE,
    summary="Get one entity with its cost by model",
    tag="Entities",
    path_params=_PARAMS,
    answer=EntityDetail,
    errors=(404,),
    example="get_entity",
)
PATCH_ENTITY = Operation(
    method="PATCH",
    path=_ONE,
    summary="Name an entity, describe it, say what it pays",
    tag="Entities",
    path_params=_PARAMS,
    body=PatchEntity,
    answer=EntityDetail,
    errors=(413, 415),
)


@route(LIST_ENTITIES)
def list_entities(request: ApiRequest, entities: EntityService) -> JsonResponse:
    account = principal_of(request, LIST_ENTITIES).account
    query = query_of(request, ListEntitiesQuery)
    offset = offset_from(query.cursor, query.offset)
    found, total = entities.page(account, query, offset)
    return answer(EntityList(found, page_of(total, query.limit, offset, len(found))))


@route(GET_ENTITY)
def get_entity(
    request: ApiRequest, entity_type: str, entity_id: str, entities: EntityService
) -> JsonResponse:
    account = principal_of(request, GET_ENTITY).account
    return answer(entities.get(account, *_names(entity_type, entity_id)))


@route(PATCH_ENTITY)
def patch_entity(
    request: ApiRequest, body: bytes, entity_type: str, entity_id: str, entities: EntityService
) -> JsonResponse:
    account = principal_of(request, PATCH_ENTITY).account
    patch = body_of(request, body, PatchEntity)
    return answer(entities.patch(account, *_names(entity_type, entity_id), patch))


def _names(entity_type: str, entity_id: str) -> tuple[str, str]:
    return path_text(entity_type, "entity_type"), path_text(entity_id, "entity_id")


ROUTES = [list_entities, get_entity, patch_entity]
