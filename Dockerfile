# Written by "latido generate stack" from the domain file of tienda, examples/echo-api/domain.yaml.
# Change that file, not this one, and write this one again.
# A static binary that runs as nobody. It writes to /data, which is to be a
# volume, and to /tmp. MAIN is the folder of the main package. What go.mod
# replaces by a folder elsewhere is brought along by: go mod vendor
FROM golang:1.26-alpine AS build
RUN apk add --no-cache git
WORKDIR /src
COPY . .
ARG MAIN=.
# What runs is known by its version and revision: those of these arguments, or
# else of the repository, which Go looks at where it is whole.
ARG VERSION=
ARG REVISION=
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    git status >/dev/null 2>&1 || export GOFLAGS="$GOFLAGS -buildvcs=false"; \
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/latido-dev/latido/telemetry.linkedVersion=$VERSION -X github.com/latido-dev/latido/telemetry.linkedRevision=$REVISION" -o /service "$MAIN"
# The domain file is what latido evidence reads.
RUN mkdir /data && cp "examples/echo-api/domain.yaml" /domain.yaml

# wget of its busybox is what asks for the health.
FROM alpine:3.22
COPY --from=build /service /service
COPY --from=build /domain.yaml /domain.yaml
COPY --from=build --chown=65532:65532 /data /data
ENV XDG_CACHE_HOME=/data
USER 65532:65532
EXPOSE 8080 9464
ENTRYPOINT ["/service"]
