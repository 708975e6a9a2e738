# One image for the server and the operator: static programs, nothing else, and
# no root. hack/image/build makes the same content without Docker.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src

# The dependencies change less often than the code.
COPY go.mod go.sum ./
RUN go mod download

COPY api api
COPY cmd cmd
COPY controllers controllers
COPY server server
ARG TARGETOS TARGETARCH VERSION=dev
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
        -ldflags "-s -w -X github.com/lockstep-db/lockstep/api/instance.Version=$VERSION" \
        -o /image/usr/local/bin/ ./cmd/lockstep-server ./cmd/lockstep-operator
RUN mkdir -p /image/etc /image/tmp /image/data && chmod 1777 /image/tmp \
    && printf 'root:x:0:0:root:/:/sbin/nologin\nlockstep:x:65532:65532:lockstep:/data:/sbin/nologin\n' > /image/etc/passwd \
    && printf 'root:x:0:\nlockstep:x:65532:\n' > /image/etc/group

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="lockstep" \
      org.opencontainers.image.description="Lockstep server and operator" \
      org.opencontainers.image.source="https://github.com/lockstep-db/lockstep" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /image/ /
COPY --from=build --chown=65532:65532 /image/data /data
ENV PATH=/usr/local/bin
USER 65532:65532
WORKDIR /
# The operator is the same image with the command lockstep-operator.
ENTRYPOINT ["/usr/local/bin/lockstep-server"]
